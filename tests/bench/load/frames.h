/*
 * Frames of RFC 6455, and buffers for what is not whole yet: what the load client and the floor share.
 *
 * It checks nothing that a peer of ours cannot get wrong.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stddef.h>
#include <stdint.h>

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FINAL = 0x80, MASKED = 0x80 };
enum { LONGEST_HEADER = 14 };

typedef struct {
    char *bytes;
    size_t length, capacity;
} buffer;

__attribute__((noreturn, format(printf, 1, 2))) void give_up(const char *format, ...);

void append(buffer *kept, const char *bytes, size_t length);

/* Keeps these bytes and no others; they may be the buffer's own tail. */
void keep(buffer *kept, const char *bytes, size_t length);

/* Writes the header of a frame; returns its length. `masked`: MASKED, with four bytes left for the mask, or 0. */
size_t put_header(char *out, unsigned char opcode, unsigned char masked, size_t length);

/* Returns the length of header and payload, and sets `header`; 0 while some are missing. A mask belongs to the header. */
uint64_t frame_bytes(const unsigned char *bytes, size_t length, size_t *header);

/* Masks the payload, or takes the mask away. */
void mask(char *out, const char *payload, size_t length, const char key[4]);

#endif
