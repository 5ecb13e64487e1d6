/* The connections of the load client, and the dialects in which they speak to the various servers. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frames.h"

#define MARK "@load"

enum {
    MARK_BYTES = 12,     /* MARK and seven digits: which connection made it */
    SEQUENCE_DIGITS = 9, /* they follow the mark: which of that connection's messages it is */
    LONGEST_SAID = 4096,
};

typedef struct connection connection;

typedef struct {
    const char *name;
    const char *path;     /* NULL: must be given */
    unsigned char opcode; /* of the frames that the client sends */
    bool greets;          /* more is said after the upgrade, before the connection counts as open */
    bool stream;          /* messages take no notice of frame borders */
    const char *headers;  /* of the upgrade, beside the usual ones; filled in like `before` */
    const char *before, *after; /* around the document; {group} and {size} are filled in */
    void (*heard)(connection *, const char *, size_t);
} dialect;

struct connection {
    int fd;
    enum { UPGRADING, GREETING, OPEN, GONE } state;
    const dialect *dialect;
    unsigned index, group;
    char mark[MARK_BYTES + 1];
    buffer unread;     /* the beginning of a frame whose end has not arrived */
    buffer unfinished; /* the beginning of a message whose end has not arrived */
    char *message;     /* what this connection says, its dialect's wrapping included */
    size_t message_bytes, sequence_at;
    unsigned slots;    /* how many of its messages may be in flight */
    unsigned voice;    /* which of its group's speakers it is */
    unsigned due;      /* how many came back in this read, and are to be followed by the next */
    uint32_t said, returned;
    uint64_t *said_at; /* nanoseconds, by sequence modulo slots */
    connection *heard_last;         /* the speaker whose message it heard last */
    char (*next)[SEQUENCE_DIGITS];  /* the sequence that it is to hear next, by the speaker's voice */
};

const dialect *dialect_named(const char *name);

bool begins(const char *bytes, size_t length, const char *with);

/* The connection counts as open from now on; harmless when repeated. */
void opened(connection *c);

/* Counts an error and tells of the first. Before anything is said an error ends the run. */
void complain(const connection *c, const char *what, const char *bytes, size_t length);

/* One message of a speaker, if there is a mark in it. */
void count_delivery(connection *c, const char *payload, size_t length);

void send_text(connection *c, const char *text);

#endif
