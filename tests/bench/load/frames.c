/* See frames.h. */
#include "frames.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void give_up(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    exit(1);
}

static void reserve(buffer *kept, size_t capacity)
{
    if (capacity <= kept->capacity) return;
    kept->capacity = capacity * 2;
    kept->bytes = realloc(kept->bytes, kept->capacity);
    if (!kept->bytes) give_up("out of memory");
}

void append(buffer *kept, const char *bytes, size_t length)
{
    reserve(kept, kept->length + length);
    memcpy(kept->bytes + kept->length, bytes, length);
    kept->length += length;
}

void keep(buffer *kept, const char *bytes, size_t length)
{
    if (length) {
        reserve(kept, length);
        memmove(kept->bytes, bytes, length);
    }
    kept->length = length;
}

size_t put_header(char *out, unsigned char opcode, unsigned char masked, size_t length)
{
    out[0] = (char)(FINAL | opcode);
    if (length < 126) {
        out[1] = (char)(masked | length);
        return 2 + (masked ? 4 : 0);
    }
    if (length > UINT16_MAX) give_up("a frame of %zu bytes is too long", length);
    out[1] = (char)(masked | 126);
    out[2] = (char)(length >> 8);
    out[3] = (char)length;
    return 4 + (masked ? 4 : 0);
}

uint64_t frame_bytes(const unsigned char *bytes, size_t length, size_t *header)
{
    if (length < 2) return 0;
    uint64_t payload = bytes[1] & 0x7f;
    size_t until_mask = payload < 126 ? 2 : payload == 126 ? 4 : 10;
    *header = until_mask + (bytes[1] & MASKED ? 4 : 0);
    if (length < *header) return 0;
    if (until_mask > 2) payload = 0;
    for (size_t i = 2; i < until_mask; i++) payload = payload << 8 | bytes[i];
    return length < *header + payload ? 0 : *header + payload;
}

void mask(char *out, const char *payload, size_t length, const char key[4])
{
    uint64_t wide;
    size_t i = 0;
    memcpy(&wide, key, 4);
    memcpy((char *)&wide + 4, key, 4);
    for (; i + 8 <= length; i += 8) {
        uint64_t eight;
        memcpy(&eight, payload + i, 8);
        eight ^= wide;
        memcpy(out + i, &eight, 8);
    }
    for (; i < length; i++) out[i] = (char)(payload[i] ^ key[i & 3]);
}
