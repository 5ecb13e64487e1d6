/*
 * The floor: what it costs the kernel to take the frames of all clients, and to write them to all of their groups.
 *
 * One thread, epoll. It answers every upgrade, takes the group from the end of the path, and repeats each frame to the
 * group without its mask. It looks at no payload, knows no names, no tenants and no other process: less cannot be done.
 * Frames that arrive in one turn of its loop are written together, with one `send` a listener.
 * Usage: floor PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"

enum { READ_BYTES = 1 << 20, MOST_GROUPS = 1 << 17, EVENTS = 512 };

typedef struct member member;

typedef struct {
    member *first;
    buffer said; /* in this turn of the loop, framed */
} group;

struct member {
    int fd;
    group *group; /* NULL until the upgrade is answered */
    member *next;
    buffer unread, unsent;
};

static const char UPGRADED[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: H2ssUj9d5NSxdONvCVYO0/NKJaE=\r\n\r\n";
static group groups[MOST_GROUPS];
static group *spoken_in[EVENTS * 2];
static size_t spoken_in_count;
static int poller;
static char incoming[READ_BYTES];

static void watch(member *m, unsigned events, int operation)
{
    struct epoll_event interest = {.events = events, .data.ptr = m};
    if (epoll_ctl(poller, operation, m->fd, &interest)) give_up("floor: epoll: %s", strerror(errno));
}

static void leave(member *m)
{
    if (m->group)
        for (member **link = &m->group->first; *link; link = &(*link)->next)
            if (*link == m) {
                *link = m->next;
                break;
            }
    close(m->fd);
    free(m->unread.bytes);
    free(m->unsent.bytes);
    free(m);
}

/* What the kernel does not take waits; a member that is gone is noticed when it is read from. */
static void transmit(member *m, const char *bytes, size_t length)
{
    if (m->unsent.length) {
        append(&m->unsent, bytes, length);
        return;
    }
    ssize_t sent = send(m->fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return;
    if (sent < 0) sent = 0;
    if ((size_t)sent == length) return;
    append(&m->unsent, bytes + sent, length - (size_t)sent);
    watch(m, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

static void go_on_sending(member *m)
{
    ssize_t sent = send(m->fd, m->unsent.bytes, m->unsent.length, MSG_NOSIGNAL);
    if (sent <= 0) return;
    keep(&m->unsent, m->unsent.bytes + sent, m->unsent.length - (size_t)sent);
    if (!m->unsent.length) watch(m, EPOLLIN, EPOLL_CTL_MOD);
}

static void repeat(group *g, const char *frame, size_t header, size_t whole)
{
    char plain[LONGEST_HEADER];
    size_t payload = whole - header, at;
    if (!g->said.length) spoken_in[spoken_in_count++] = g;
    append(&g->said, plain, put_header(plain, TEXT, 0, payload));
    at = g->said.length;
    append(&g->said, frame + header, payload);
    mask(g->said.bytes + at, frame + header, payload, frame + header - 4);
}

static size_t take_frames(member *m, const char *bytes, size_t length)
{
    size_t used = 0, header = 0;
    uint64_t whole;
    while ((whole = frame_bytes((const unsigned char *)bytes + used, length - used, &header))) {
        if ((bytes[used] & 0x0f) == TEXT) repeat(m->group, bytes + used, header, whole);
        used += whole;
    }
    return used;
}

/* "GET /g0042 HTTP/1.1": the number of the group. */
static size_t take_upgrade(member *m, const char *bytes, size_t length)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end || length < 8) return 0;
    m->group = &groups[(unsigned)atoi(bytes + strlen("GET /g")) % MOST_GROUPS];
    m->next = m->group->first;
    m->group->first = m;
    transmit(m, UPGRADED, sizeof UPGRADED - 1);
    return (size_t)(end - bytes) + 4;
}

/* Returns false when the member is gone. */
static bool take(member *m)
{
    size_t kept = m->unread.length, used = 0;
    if (kept) memcpy(incoming, m->unread.bytes, kept);
    ssize_t got = recv(m->fd, incoming + kept, READ_BYTES - kept, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    size_t length = kept + (size_t)got;
    if (!m->group) used = take_upgrade(m, incoming, length);
    if (m->group) used += take_frames(m, incoming + used, length - used);
    keep(&m->unread, incoming + used, length - used);
    return true;
}

static void write_what_was_said(void)
{
    for (size_t i = 0; i < spoken_in_count; i++) {
        group *g = spoken_in[i];
        for (member *m = g->first; m; m = m->next) transmit(m, g->said.bytes, g->said.length);
        g->said.length = 0;
    }
    spoken_in_count = 0;
}

static void welcome(int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        member *m = calloc(1, sizeof *m);
        if (!m) give_up("floor: out of memory");
        m->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(m, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static int listening(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096))
        give_up("floor: port %d: %s", port, strerror(errno));
    return fd;
}

int main(int count, char **words)
{
    struct epoll_event events[EVENTS];
    if (count != 2) give_up("usage: floor PORT");
    int listener = listening(atoi(words[1]));
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &interest)) give_up("floor: %s", strerror(errno));
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            member *m = events[i].data.ptr;
            if (!m) {
                welcome(listener);
                continue;
            }
            if (events[i].events & EPOLLOUT) go_on_sending(m);
            if (events[i].events & ~(unsigned)EPOLLOUT && !take(m)) leave(m);
        }
        write_what_was_said();
    }
}
