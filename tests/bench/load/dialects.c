/* How each server is greeted, and which of its words carry a message. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "client.h"

static void v3_heard(connection *c, const char *payload, size_t length)
{
    if (begins(payload, length, "{\"version\":\"3\",\"msg_type\":\"msg\"")) count_delivery(c, payload, length);
    else if (memmem(payload, length, "\"ERROR\"", 7)) complain(c, "was refused", payload, length);
}

static void socketio_heard(connection *c, const char *payload, size_t length)
{
    if (begins(payload, length, "42[")) count_delivery(c, payload, length);
    else if (begins(payload, length, "2")) send_text(c, "3");
    else if (begins(payload, length, "0{")) send_text(c, "40");
    else if (begins(payload, length, "40")) opened(c);
    else complain(c, "was refused", payload, length);
}

static void nats_subscribe(connection *c)
{
    char text[160];
    snprintf(text, sizeof text, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB g%04u 1\r\nPING\r\n", c->group);
    send_text(c, text);
}

/* The payload's length is the line's last word. */
static size_t nats_payload_bytes(const char *end)
{
    size_t bytes = 0, unit = 1;
    for (const char *digit = end - 2; *digit >= '0' && *digit <= '9'; digit--, unit *= 10)
        bytes += (size_t)(*digit - '0') * unit;
    return bytes;
}

/* Returns how many bytes the operation took, or 0 while it is not whole. */
static size_t nats_operation(connection *c, const char *bytes, size_t length)
{
    const char *end = length ? memchr(bytes, '\n', length) : NULL;
    if (!end) return 0;
    size_t line = (size_t)(end - bytes) + 1;
    if (begins(bytes, line, "MSG ")) {
        size_t payload = nats_payload_bytes(end);
        if (length < line + payload + 2) return 0;
        count_delivery(c, bytes + line, payload);
        return line + payload + 2;
    }
    if (begins(bytes, line, "INFO ")) {
        if (c->state == GREETING) nats_subscribe(c);
    } else if (begins(bytes, line, "PING")) send_text(c, "PONG\r\n");
    else if (begins(bytes, line, "PONG")) opened(c);
    else complain(c, "was refused", bytes, line);
    return line;
}

static void nats_heard(connection *c, const char *payload, size_t length)
{
    buffer *rest = &c->unfinished;
    if (rest->length) {
        append(rest, payload, length);
        payload = rest->bytes;
        length = rest->length;
    }
    size_t used = 0, step;
    while (c->state != GONE && (step = nats_operation(c, payload + used, length - used))) used += step;
    keep(rest, payload + used, length - used);
}

static const dialect dialects[] = {
    {"v3", "/v3/ws/group/{group}/client/{client}", TEXT, false, false, "", "", "", v3_heard},
    {"v2", "/ws/group/{group}/client/{client}", TEXT, false, false, "", "", "", count_delivery},
    {"raw", NULL, TEXT, false, false, "", "", "", count_delivery},
    {"nats", "/", BINARY, true, true, "", "PUB {group} {size}\r\n", "\r\n", nats_heard},
    {"socketio", "/socket.io/?EIO=4&transport=websocket&group={group}", TEXT, true, false, "", "42[\"message\",", "]",
     socketio_heard},
    {"wse", "/wse", TEXT, false, false, "Cookie: group={group}\r\n", "=", "", count_delivery},
};

const dialect *dialect_named(const char *name)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        if (!strcmp(dialects[i].name, name)) return &dialects[i];
    give_up("no dialect '%s': v3, v2, raw, nats, socketio, wse", name);
}
