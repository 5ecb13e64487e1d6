/*
 * A WebSocket load client: many connections in groups, a fixed number of messages in flight, one JSON line at the end.
 *
 * Every connection is opened first. Then each sender says its next message when its own earlier one has come back,
 * so the server sets the pace. What is counted is frames heard, over all sockets, that carry a mark made by a sender;
 * at the end the count is held against what was said, so that a lost or doubled delivery shows as `lost`.
 *
 * It must never guess a delivery, and never be the slowest part unnoticed: `client_cpu` near 1 says that it was.
 * Linux (epoll), loopback only: connecting blocks, and a write is taken whole, since little is ever under way.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MARK "@load"
#define NANOSECONDS 1000000000ull

enum {
    MARK_BYTES = 12,              /* MARK and seven digits: which connection made it */
    SEQUENCE_DIGITS = 9,          /* they follow the mark: which of that connection's messages it is */
    READ_BYTES = 1 << 20,         /* one read, and the longest frame that is understood */
    LONGEST_SAID = 4096,
    LONGEST_ROUND_TRIP = 4000000, /* microseconds; a longer one counts as this */
    QUIET_SECONDS = 2,            /* nothing heard for so long: what is still missing is lost */
    DRAIN_SECONDS = 20,
};

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FINAL = 0x80 };

typedef struct {
    char *bytes;
    size_t length, capacity;
} buffer;

typedef struct {
    int fd;
    enum { UPGRADING, GREETING, OPEN, GONE } state;
    unsigned index, group;
    char mark[MARK_BYTES + 1];
    buffer unread;     /* the beginning of a frame whose end has not arrived */
    buffer unfinished; /* the beginning of a message whose end has not arrived */
    char *message;     /* what this connection says, its dialect's wrapping included */
    size_t message_bytes, sequence_at;
    unsigned slots;    /* how many of its messages may be in flight */
    unsigned due;      /* how many came back in this read, and are to be followed by the next */
    uint32_t said, returned;
    uint64_t *said_at; /* nanoseconds, by sequence modulo slots */
} connection;

typedef struct {
    const char *name;
    const char *path;      /* NULL: must be given */
    unsigned char opcode;  /* of the frames that the client sends */
    bool greets;           /* more is said after the upgrade, before the connection counts as open */
    bool stream;           /* messages take no notice of frame borders */
    const char *before, *after; /* around the document; {group} and {size} are filled in */
    void (*heard)(connection *, const char *, size_t);
} dialect;

static struct {
    const dialect *dialect;
    const char *path;
    int port;
    unsigned groups, per_group, window, senders, size, open_rate, open_concurrency;
    double settle, warmup, seconds, patience;
} options = {.groups = 1, .per_group = 10, .window = 10, .size = 150, .open_rate = 2000, .open_concurrency = 32,
             .settle = 0.5, .warmup = 1, .seconds = 3, .patience = 60};

static connection *connections;
static unsigned connection_count, open_count;
static int poller;
static enum { OPENING, TALKING, MEASURING, DRAINING } phase;
static uint64_t deliveries, round_trips, said, errors;
static uint32_t histogram[LONGEST_ROUND_TRIP + 1];
static char incoming[READ_BYTES];

static uint64_t nanoseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NANOSECONDS + (uint64_t)time.tv_nsec;
}

static double processor_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fputs("load_client: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    exit(1);
}

/* Counts an error and tells of the first. Before anything is said an error ends the run. */
static void complain(const connection *c, const char *what, const char *bytes, size_t length)
{
    int shown = (int)(length < 300 ? length : 300);
    if (phase == OPENING) give_up("connection %u: %s %.*s", c->index, what, shown, bytes);
    if (errors++ == 0) fprintf(stderr, "load_client: connection %u: %s %.*s\n", c->index, what, shown, bytes);
}

static void lose(connection *c, const char *why, const char *bytes, size_t length)
{
    complain(c, why, bytes, length);
    close(c->fd);
    c->state = GONE;
}

static void reserve(buffer *kept, size_t capacity)
{
    if (capacity <= kept->capacity) return;
    kept->capacity = capacity * 2;
    kept->bytes = realloc(kept->bytes, kept->capacity);
    if (!kept->bytes) give_up("out of memory");
}

static void append(buffer *kept, const char *bytes, size_t length)
{
    reserve(kept, kept->length + length);
    memcpy(kept->bytes + kept->length, bytes, length);
    kept->length += length;
}

/* Keeps these bytes and no others; they may be the buffer's own tail. */
static void keep(buffer *kept, const char *bytes, size_t length)
{
    if (length) {
        reserve(kept, length);
        memmove(kept->bytes, bytes, length);
    }
    kept->length = length;
}

static size_t put_frame(char *out, unsigned char opcode, const char *payload, size_t length)
{
    static const unsigned char mask[4] = {0x5a, 0xc3, 0x96, 0x0f};
    size_t header = 2;
    out[0] = (char)(FINAL | opcode);
    if (length < 126) {
        out[1] = (char)(0x80 | length);
    } else {
        out[1] = (char)(0x80 | 126);
        out[2] = (char)(length >> 8);
        out[3] = (char)length;
        header = 4;
    }
    memcpy(out + header, mask, 4);
    header += 4;
    for (size_t i = 0; i < length; i++) out[header + i] = (char)(payload[i] ^ mask[i & 3]);
    return header + length;
}

static void transmit(connection *c, const char *bytes, size_t length)
{
    if (length && send(c->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) lose(c, "write failed", "", 0);
}

static void send_frame(connection *c, unsigned char opcode, const char *payload, size_t length)
{
    char frame[LONGEST_SAID + 8];
    if (length > LONGEST_SAID) lose(c, "asked to say too much", "", 0);
    else transmit(c, frame, put_frame(frame, opcode, payload, length));
}

static void send_text(connection *c, const char *text)
{
    send_frame(c, options.dialect->opcode, text, strlen(text));
}

static void write_digits(char *out, uint32_t number, int digits)
{
    while (digits--) {
        out[digits] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* One write for each message, as every WebSocket library does: writing several at once would spare the server work. */
static void say(connection *c, unsigned times)
{
    while (times-- && c->state == OPEN) {
        write_digits(c->message + c->sequence_at, c->said, SEQUENCE_DIGITS);
        c->said_at[c->said++ % c->slots] = nanoseconds();
        said++;
        send_frame(c, options.dialect->opcode, c->message, c->message_bytes);
    }
}

static void came_back(connection *c, const char *sequence, uint64_t now)
{
    char expected[SEQUENCE_DIGITS];
    write_digits(expected, c->returned, SEQUENCE_DIGITS);
    if (c->returned == c->said || memcmp(sequence, expected, SEQUENCE_DIGITS)) {
        complain(c, "its own message out of order", sequence, SEQUENCE_DIGITS);
        return;
    }
    uint64_t microseconds = (now - c->said_at[c->returned++ % c->slots]) / 1000;
    c->due++;
    if (phase != MEASURING) return;
    round_trips++;
    histogram[microseconds < LONGEST_ROUND_TRIP ? microseconds : LONGEST_ROUND_TRIP]++;
}

/* Ids have one width, so the mark stands where it stood in the frame before: that is looked at first. */
static const char *find_mark(const char *payload, size_t length)
{
    static size_t usual;
    size_t needed = MARK_BYTES + SEQUENCE_DIGITS;
    if (usual + needed <= length && !memcmp(payload + usual, MARK, sizeof MARK - 1)) return payload + usual;
    const char *mark = memmem(payload, length, MARK, sizeof MARK - 1);
    if (!mark || (size_t)(mark - payload) + needed > length) return NULL;
    usual = (size_t)(mark - payload);
    return mark;
}

static void count_delivery(connection *c, const char *payload, size_t length)
{
    const char *mark = find_mark(payload, length);
    if (!mark) return;
    deliveries++;
    if (!memcmp(mark, c->mark, MARK_BYTES)) came_back(c, mark + MARK_BYTES, nanoseconds());
}

static void opened(connection *c)
{
    if (c->state != GREETING) return;
    c->state = OPEN;
    open_count++;
}

static bool begins(const char *bytes, size_t length, const char *with)
{
    size_t needed = strlen(with);
    return length >= needed && !memcmp(bytes, with, needed);
}

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
    {"v3", "/v3/ws/group/{group}/client/{client}", TEXT, false, false, "", "", v3_heard},
    {"raw", NULL, TEXT, false, false, "", "", count_delivery},
    {"nats", "/", BINARY, true, true, "PUB {group} {size}\r\n", "\r\n", nats_heard},
    {"socketio", "/socket.io/?EIO=4&transport=websocket&group={group}", TEXT, true, false, "42[\"message\",", "]",
     socketio_heard},
};

static void fragment(connection *c, unsigned char first, const char *payload, size_t length)
{
    append(&c->unfinished, payload, length);
    if (c->unfinished.length > READ_BYTES) lose(c, "was sent an endless message", "", 0);
    if (!(first & FINAL)) return;
    options.dialect->heard(c, c->unfinished.bytes, c->unfinished.length);
    c->unfinished.length = 0;
}

static void hear_frame(connection *c, unsigned char first, const char *payload, size_t length)
{
    switch (first & 0x0f) {
    case PING: send_frame(c, PONG, payload, length); break;
    case PONG: break;
    case CLOSE: lose(c, "was closed:", length > 2 ? payload + 2 : "", length > 2 ? length - 2 : 0); break;
    case CONTINUATION: case TEXT: case BINARY:
        if (options.dialect->stream || (first & 0x8f) > FINAL) options.dialect->heard(c, payload, length);
        else fragment(c, first, payload, length);
        break;
    default: lose(c, "was sent an unknown opcode", "", 0);
    }
}

/* RFC 6455, section 5.2. Returns the length of header and payload, and sets `header`; 0 while some are missing. */
static uint64_t frame_bytes(const unsigned char *bytes, size_t length, size_t *header)
{
    if (length < 2) return 0;
    uint64_t payload = bytes[1] & 0x7f;
    *header = payload < 126 ? 2 : payload == 126 ? 4 : 10;
    if (length < *header) return 0;
    if (*header > 2) payload = 0;
    for (size_t i = 2; i < *header; i++) payload = payload << 8 | bytes[i];
    return length < *header + payload ? 0 : *header + payload;
}

static size_t hear_frames(connection *c, const char *bytes, size_t length)
{
    size_t used = 0, header = 0;
    uint64_t whole;
    while (c->state != GONE && (whole = frame_bytes((const unsigned char *)bytes + used, length - used, &header))) {
        hear_frame(c, (unsigned char)bytes[used], bytes + used + header, whole - header);
        used += whole;
    }
    return used;
}

static size_t hear_upgrade(connection *c, const char *bytes, size_t length)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end) return 0;
    if (!begins(bytes, length, "HTTP/1.1 101")) give_up("connection %u: %.*s", c->index, (int)(end - bytes), bytes);
    c->state = GREETING;
    if (!options.dialect->greets) opened(c);
    return (size_t)(end - bytes) + 4;
}

static void hear(connection *c)
{
    size_t kept = c->unread.length, used = 0;
    if (kept == READ_BYTES) return lose(c, "was sent a frame that is too long", "", 0);
    if (kept) memcpy(incoming, c->unread.bytes, kept);
    ssize_t read = recv(c->fd, incoming + kept, READ_BYTES - kept, 0);
    if (read <= 0) {
        if (read == 0 || errno != EAGAIN) lose(c, "was cut off", "", 0);
        return;
    }
    size_t length = kept + (size_t)read;
    if (c->state == UPGRADING) used = hear_upgrade(c, incoming, length);
    if (c->state != UPGRADING) used += hear_frames(c, incoming + used, length - used);
    keep(&c->unread, incoming + used, length - used);
    if (c->due && phase != DRAINING && c->state == OPEN) say(c, c->due);
    c->due = 0;
}

static void turn(int milliseconds)
{
    struct epoll_event events[512];
    int ready = epoll_wait(poller, events, 512, milliseconds);
    for (int i = 0; i < ready; i++) {
        connection *c = events[i].data.ptr;
        if (c->state != GONE) hear(c);
    }
}

static void run_for(double seconds)
{
    uint64_t end = nanoseconds() + (uint64_t)(seconds * 1e9);
    while (nanoseconds() < end) turn(1);
}

/* Writes the template with {group}, {client} and {size} filled in; returns its length. */
static size_t fill_in(char *out, size_t room, const char *template, const connection *c)
{
    size_t length = 0;
    while (*template && length + 16 < room) {
        char *end = out + length;
        if (begins(template, strlen(template), "{group}")) length += (size_t)sprintf(end, "g%04u", c->group);
        else if (begins(template, strlen(template), "{client}")) length += (size_t)sprintf(end, "c%05u", c->index);
        else if (begins(template, strlen(template), "{size}")) length += (size_t)sprintf(end, "%u", options.size);
        else {
            out[length++] = *template++;
            continue;
        }
        template = strchr(template, '}') + 1;
    }
    out[length] = 0;
    return length;
}

/* The document is one and the same in every dialect, `size` bytes long. */
static size_t write_document(char *out, const connection *c)
{
    size_t length = (size_t)sprintf(out, "{\"msg_type\":\"msg\",\"target\":\"group\",\"msg\":\"%s%0*d ", c->mark,
                                    (int)SEQUENCE_DIGITS, 0);
    while (length + 2 < options.size) out[length] = (char)('a' + length % 26), length++;
    memcpy(out + length, "\"}", 3);
    return length + 2;
}

static void prepare(connection *c, unsigned index)
{
    char text[LONGEST_SAID];
    c->index = index;
    c->group = index / options.per_group;
    snprintf(c->mark, sizeof c->mark, MARK "%07u", index % 10000000);
    size_t length = fill_in(text, 256, options.dialect->before, c);
    length += write_document(text + length, c);
    length += fill_in(text + length, 256, options.dialect->after, c);
    c->message = strdup(text);
    c->message_bytes = length;
    c->sequence_at = (size_t)(strstr(text, c->mark) - text) + MARK_BYTES;
}

static void dial(connection *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = c};
    char path[1024], request[1400];
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address))
        give_up("connection %u: %s", c->index, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fill_in(path, sizeof path, options.path, c);
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: YWV0aGVyIGJyaWRnZSBsZA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        path, options.port);
    transmit(c, request, (size_t)length);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &interest)) give_up("epoll: %s", strerror(errno));
}

static void open_all(void)
{
    uint64_t began = nanoseconds();
    unsigned dialled = 0;
    while (open_count < connection_count) {
        double elapsed = (double)(nanoseconds() - began) / 1e9;
        if (elapsed > options.patience) give_up("only %u of %u opened", open_count, connection_count);
        while (dialled < connection_count && dialled - open_count < options.open_concurrency
               && dialled < 1 + elapsed * options.open_rate)
            dial(&connections[dialled++]);
        turn(1);
    }
}

/* Spreads the window over the senders in turn, and the senders evenly over the connections. */
static connection *slot_owner(unsigned slot)
{
    return &connections[(uint64_t)(slot % options.senders) * connection_count / options.senders];
}

static void start_talking(void)
{
    for (unsigned slot = 0; slot < options.window; slot++) slot_owner(slot)->slots++;
    phase = TALKING;
    for (unsigned i = 0; i < connection_count; i++) {
        connection *c = &connections[i];
        if (!c->slots) continue;
        c->said_at = calloc(c->slots, sizeof *c->said_at);
        if (!c->said_at) give_up("out of memory");
        say(c, c->slots);
    }
}

static uint64_t missing(void)
{
    return said * options.per_group - deliveries;
}

/* Lets what is in flight arrive, and nothing new start. A delivery too many shows as a negative number. */
static int64_t drain(void)
{
    uint64_t now = nanoseconds(), end = now + DRAIN_SECONDS * NANOSECONDS, quiet_since = now, heard = deliveries;
    phase = DRAINING;
    while (missing() && now < end && now < quiet_since + QUIET_SECONDS * NANOSECONDS) {
        turn(1);
        now = nanoseconds();
        if (heard != deliveries) quiet_since = now;
        heard = deliveries;
    }
    return (int64_t)missing();
}

static uint32_t percentile(double share)
{
    uint64_t wanted = (uint64_t)((double)round_trips * share), seen = 0;
    for (uint32_t microseconds = 0; microseconds < LONGEST_ROUND_TRIP; microseconds++)
        if ((seen += histogram[microseconds]) > wanted) return microseconds;
    return LONGEST_ROUND_TRIP;
}

static void measure(void)
{
    uint64_t began = nanoseconds(), first_delivery = deliveries;
    double processor = processor_seconds();
    phase = MEASURING;
    run_for(options.seconds);
    double elapsed = (double)(nanoseconds() - began) / 1e9;
    double client_cpu = (processor_seconds() - processor) / elapsed;
    uint64_t heard = deliveries - first_delivery;
    int64_t lost = drain();
    printf("{\"dialect\":\"%s\",\"connections\":%u,\"groups\":%u,\"window\":%u,\"seconds\":%.3f,"
           "\"deliveries_per_second\":%.0f,\"messages_per_second\":%.0f,\"p50_us\":%u,\"p99_us\":%u,"
           "\"errors\":%llu,\"lost\":%lld,\"client_cpu\":%.2f}\n",
           options.dialect->name, connection_count, options.groups, options.window, elapsed, (double)heard / elapsed,
           (double)round_trips / elapsed, round_trips ? percentile(0.5) : 0, round_trips ? percentile(0.99) : 0,
           (unsigned long long)errors, (long long)lost, client_cpu);
}

static const dialect *dialect_named(const char *name)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        if (!strcmp(dialects[i].name, name)) return &dialects[i];
    give_up("no dialect '%s': v3, raw, nats, socketio", name);
}

static void read_options(int count, char **words)
{
    static const struct option names[] = {
        {"dialect", 1, 0, 'd'}, {"port", 1, 0, 'p'}, {"path", 1, 0, 'u'}, {"groups", 1, 0, 'g'},
        {"per-group", 1, 0, 'n'}, {"window", 1, 0, 'w'}, {"senders", 1, 0, 'm'}, {"size", 1, 0, 's'},
        {"settle", 1, 0, 'e'},
        {"warmup", 1, 0, 'a'}, {"seconds", 1, 0, 't'}, {"open-rate", 1, 0, 'r'}, {"open-concurrency", 1, 0, 'c'},
        {"patience", 1, 0, 'i'}, {0}};
    for (int letter; (letter = getopt_long(count, words, "", names, NULL)) != -1;) switch (letter) {
    case 'd': options.dialect = dialect_named(optarg); break;
    case 'p': options.port = atoi(optarg); break;
    case 'u': options.path = optarg; break;
    case 'g': options.groups = (unsigned)atoi(optarg); break;
    case 'n': options.per_group = (unsigned)atoi(optarg); break;
    case 'w': options.window = (unsigned)atoi(optarg); break;
    case 'm': options.senders = (unsigned)atoi(optarg); break;
    case 's': options.size = (unsigned)atoi(optarg); break;
    case 'e': options.settle = atof(optarg); break;
    case 'a': options.warmup = atof(optarg); break;
    case 't': options.seconds = atof(optarg); break;
    case 'r': options.open_rate = (unsigned)atoi(optarg); break;
    case 'c': options.open_concurrency = (unsigned)atoi(optarg); break;
    case 'i': options.patience = atof(optarg); break;
    default: exit(2);
    }
    if (!options.dialect || !options.port) give_up("--dialect and --port are needed");
    if (!options.path) options.path = options.dialect->path;
    if (!options.path) give_up("--path is needed, such as /ws/{group}/{client}");
    if (options.size < 100 || options.size > 2048) give_up("--size lies between 100 and 2048 bytes");
    if (!options.groups || !options.per_group) give_up("--groups and --per-group are at least 1");
}

/* Every message of the window has a sender, and no sender is without one. */
static void settle_counts(void)
{
    unsigned most;
    connection_count = options.groups * options.per_group;
    most = options.window < connection_count ? options.window : connection_count;
    if (!options.senders || options.senders > most) options.senders = most;
}

int main(int count, char **words)
{
    read_options(count, words);
    settle_counts();
    connections = calloc(connection_count, sizeof *connections);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || poller < 0) give_up("out of memory");
    for (unsigned i = 0; i < connection_count; i++) prepare(&connections[i], i);
    open_all();
    run_for(options.settle);
    start_talking();
    run_for(options.warmup);
    measure();
    return errors ? 3 : 0;
}
