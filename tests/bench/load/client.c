/*
 * A WebSocket load client: many connections in groups, a fixed number of messages in flight, one JSON line at the end.
 *
 * Every connection is opened first. Then each sender says its next message when its own earlier one has come back,
 * so the server sets the pace. What is counted is frames heard, over all sockets, that carry a mark made by a sender;
 * each listener must hear each sender's messages in order and without a hole, and at the end the count is held against
 * what was said, so that a lost or doubled delivery shows as `lost`.
 *
 * It says on the standard output when a phase begins, so that whoever watches the server knows.
 * It must never guess a delivery, and never be the slowest part unnoticed: `client_cpu` near 1 says that it was.
 * Linux (epoll), loopback only: connecting blocks, and a write is taken whole, since little is ever under way.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define NANOSECONDS 1000000000ull

enum {
    READ_BYTES = 1 << 20,         /* one read, and the longest frame that is understood */
    LONGEST_ROUND_TRIP = 4000000, /* microseconds; a longer one counts as this */
    QUIET_SECONDS = 2,            /* nothing heard for so long: what is still missing is lost */
    DRAIN_SECONDS = 40,
};

static struct {
    const dialect *dialect;
    const dialect *other; /* of the second half of each group; NULL: all speak alike */
    const char *path;
    int port;
    unsigned groups, per_group, window, senders, size, opening;
    double settle, warmup, seconds, patience;
    bool until_all; /* a message has come back when all have heard it, not only its sender */
} options = {.groups = 1, .per_group = 10, .window = 10, .size = 150, .opening = 32,
             .settle = 0.5, .warmup = 1, .seconds = 3, .patience = 60};

static connection *connections;
static unsigned connection_count, open_count;
static int poller;
static enum { OPENING, TALKING, MEASURING, DRAINING } phase;
static uint64_t deliveries, round_trips, said, errors;
static connection *only_speaker; /* with `until_all` */
static unsigned heard_of_one;
static double opening_seconds;
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

void complain(const connection *c, const char *what, const char *bytes, size_t length)
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

static void transmit(connection *c, const char *bytes, size_t length)
{
    if (length && send(c->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) lose(c, "write failed", "", 0);
}

static void send_frame(connection *c, unsigned char opcode, const char *payload, size_t length)
{
    static const char key[4] = {0x5a, (char)0xc3, (char)0x96, 0x0f};
    char frame[LONGEST_HEADER + LONGEST_SAID];
    if (length > LONGEST_SAID) return lose(c, "asked to say too much", "", 0);
    size_t header = put_header(frame, opcode, MASKED, length);
    memcpy(frame + header - sizeof key, key, sizeof key);
    mask(frame + header, payload, length, key);
    transmit(c, frame, header + length);
}

void send_text(connection *c, const char *text)
{
    send_frame(c, c->dialect->opcode, text, strlen(text));
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
        send_frame(c, c->dialect->opcode, c->message, c->message_bytes);
    }
}

static void came_back(connection *c, uint64_t now)
{
    if (c->returned == c->said) return complain(c, "heard what it has not said", "", 0);
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

/* Who made the mark; NULL, after a complaint, where this connection may not hear that one. */
static connection *speaker_of(const connection *c, const char *mark)
{
    uint32_t index = 0;
    for (int i = sizeof MARK - 1; i < MARK_BYTES; i++) index = index * 10 + (uint32_t)(mark[i] - '0');
    connection *speaker = index < connection_count ? &connections[index] : NULL;
    if (speaker && speaker->slots && speaker->group == c->group && !memcmp(mark, speaker->mark, MARK_BYTES))
        return speaker;
    complain(c, "heard another group, or nonsense", mark, MARK_BYTES + SEQUENCE_DIGITS);
    return NULL;
}

static void count_up(char *digits)
{
    for (int i = SEQUENCE_DIGITS - 1; i >= 0 && ++digits[i] > '9'; i--) digits[i] = '0';
}

static void hold_to_order(connection *c, const connection *speaker, const char *sequence)
{
    char *next = c->next[speaker->voice];
    if (memcmp(sequence, next, SEQUENCE_DIGITS)) {
        complain(c, "a message out of order, or one is missing:", sequence, SEQUENCE_DIGITS);
        memcpy(next, sequence, SEQUENCE_DIGITS);
    }
    count_up(next);
}

void count_delivery(connection *c, const char *payload, size_t length)
{
    const char *mark = find_mark(payload, length);
    if (!mark) return;
    connection *speaker = c->heard_last;
    if (!speaker || memcmp(mark, speaker->mark, MARK_BYTES)) speaker = c->heard_last = speaker_of(c, mark);
    if (!speaker) return;
    hold_to_order(c, speaker, mark + MARK_BYTES);
    deliveries++;
    if (options.until_all ? ++heard_of_one == options.per_group : speaker == c) {
        heard_of_one = 0;
        came_back(speaker, nanoseconds());
    }
}

void opened(connection *c)
{
    if (c->state != GREETING) return;
    c->state = OPEN;
    open_count++;
}

bool begins(const char *bytes, size_t length, const char *with)
{
    size_t needed = strlen(with);
    return length >= needed && !memcmp(bytes, with, needed);
}

static void fragment(connection *c, unsigned char first, const char *payload, size_t length)
{
    append(&c->unfinished, payload, length);
    if (c->unfinished.length > READ_BYTES) lose(c, "was sent an endless message", "", 0);
    if (!(first & FINAL)) return;
    c->dialect->heard(c, c->unfinished.bytes, c->unfinished.length);
    c->unfinished.length = 0;
}

static void hear_frame(connection *c, unsigned char first, const char *payload, size_t length)
{
    switch (first & 0x0f) {
    case PING: send_frame(c, PONG, payload, length); break;
    case PONG: break;
    case CLOSE: lose(c, "was closed:", length > 2 ? payload + 2 : "", length > 2 ? length - 2 : 0); break;
    case CONTINUATION: case TEXT: case BINARY:
        if (c->dialect->stream || (first & 0x8f) > FINAL) c->dialect->heard(c, payload, length);
        else fragment(c, first, payload, length);
        break;
    default: lose(c, "was sent an unknown opcode", "", 0);
    }
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
    if (!c->dialect->greets) opened(c);
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
    connection *speaker = options.until_all ? only_speaker : c;
    if (speaker && speaker->due) {
        if (phase != DRAINING && speaker->state == OPEN) say(speaker, speaker->due);
        speaker->due = 0;
    }
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
    c->dialect = options.other && index % options.per_group >= options.per_group / 2 ? options.other : options.dialect;
    snprintf(c->mark, sizeof c->mark, MARK "%07u", index % 10000000);
    size_t length = fill_in(text, 256, c->dialect->before, c);
    length += write_document(text + length, c);
    length += fill_in(text + length, 256, c->dialect->after, c);
    c->message = strdup(text);
    c->message_bytes = length;
    c->sequence_at = (size_t)(strstr(text, c->mark) - text) + MARK_BYTES;
}

static void dial(connection *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = c};
    char path[1024], headers[256], request[1700];
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address))
        give_up("connection %u: %s", c->index, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fill_in(path, sizeof path, c->dialect == options.dialect ? options.path : c->dialect->path, c);
    fill_in(headers, sizeof headers, c->dialect->headers, c);
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: YWV0aGVyIGJyaWRnZSBsZA==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
        path, options.port, headers);
    transmit(c, request, (size_t)length);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &interest)) give_up("epoll: %s", strerror(errno));
}

/* As fast as the server lets us, with so many handshakes under way. */
static void open_all(void)
{
    uint64_t began = nanoseconds();
    unsigned dialled = 0;
    while (open_count < connection_count) {
        opening_seconds = (double)(nanoseconds() - began) / 1e9;
        if (opening_seconds > options.patience) give_up("only %u of %u opened", open_count, connection_count);
        while (dialled < connection_count && dialled - open_count < options.opening) dial(&connections[dialled++]);
        turn(1);
    }
    opening_seconds = (double)(nanoseconds() - began) / 1e9;
}

/* Spreads the window over the senders in turn, and the senders evenly over the connections. */
static connection *slot_owner(unsigned slot)
{
    return &connections[(uint64_t)(slot % options.senders) * connection_count / options.senders];
}

/* Gives the speakers of each group their voices; returns how many the group with the most has. */
static unsigned give_voices(void)
{
    unsigned most = 0;
    for (unsigned slot = 0; slot < options.window; slot++) slot_owner(slot)->slots++;
    for (unsigned i = 0, voices = 0; i < connection_count; i++) {
        if (i % options.per_group == 0) voices = 0;
        if (!connections[i].slots) continue;
        connections[i].voice = voices++;
        if (voices > most) most = voices;
        only_speaker = &connections[i];
    }
    return most;
}

static void start_talking(void)
{
    unsigned voices = give_voices();
    phase = TALKING;
    for (unsigned i = 0; i < connection_count; i++) {
        connection *c = &connections[i];
        c->said_at = calloc(c->slots + 1, sizeof *c->said_at);
        c->next = malloc(voices * sizeof *c->next);
        if (!c->said_at || !c->next) give_up("out of memory");
        memset(c->next, '0', voices * sizeof *c->next);
    }
    for (unsigned i = 0; i < connection_count; i++) say(&connections[i], connections[i].slots);
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

static void announce(const char *phase_that_begins)
{
    puts(phase_that_begins);
    fflush(stdout);
}

static void measure(void)
{
    uint64_t began = nanoseconds(), first_delivery = deliveries;
    double processor = processor_seconds();
    phase = MEASURING;
    announce("measuring");
    run_for(options.seconds);
    announce("measured");
    double elapsed = (double)(nanoseconds() - began) / 1e9;
    double client_cpu = (processor_seconds() - processor) / elapsed;
    uint64_t heard = deliveries - first_delivery;
    int64_t lost = drain();
    printf("{\"connections\":%u,\"seconds\":%.3f,\"opened_per_second\":%.0f,"
           "\"deliveries_per_second\":%.0f,\"messages_per_second\":%.0f,\"p50_us\":%u,\"p99_us\":%u,"
           "\"errors\":%llu,\"lost\":%lld,\"client_cpu\":%.3f}\n",
           connection_count, elapsed, connection_count / opening_seconds, (double)heard / elapsed,
           (double)round_trips / elapsed, round_trips ? percentile(0.5) : 0, round_trips ? percentile(0.99) : 0,
           (unsigned long long)errors, (long long)lost, client_cpu);
}

static void read_options(int count, char **words)
{
    static const struct option names[] = {
        {"dialect", 1, 0, 'd'}, {"port", 1, 0, 'p'}, {"path", 1, 0, 'u'}, {"groups", 1, 0, 'g'},
        {"per-group", 1, 0, 'n'}, {"window", 1, 0, 'w'}, {"senders", 1, 0, 'm'}, {"size", 1, 0, 's'},
        {"settle", 1, 0, 'e'}, {"warmup", 1, 0, 'a'}, {"seconds", 1, 0, 't'}, {"opening", 1, 0, 'c'},
        {"patience", 1, 0, 'i'}, {"other", 1, 0, 'o'}, {"until-all", 0, 0, 'l'}, {0}};
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
    case 'c': options.opening = (unsigned)atoi(optarg); break;
    case 'i': options.patience = atof(optarg); break;
    case 'o': options.other = dialect_named(optarg); break;
    case 'l': options.until_all = true; break;
    default: exit(2);
    }
    if (!options.dialect || !options.port) give_up("--dialect and --port are needed");
    if (!options.path) options.path = options.dialect->path;
    if (!options.path) give_up("--path is needed, such as /ws/{group}/{client}");
    if (options.size < 100 || options.size > 2048) give_up("--size lies between 100 and 2048 bytes");
    if (!options.groups || !options.per_group || !options.opening) give_up("--groups, --per-group and --opening: at least 1");
    if (options.until_all && options.window != 1) give_up("--until-all wants --window 1");
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
    announce("opening");
    open_all();
    announce("opened");
    run_for(options.settle);
    announce("settled");
    start_talking();
    if (options.window) run_for(options.warmup);
    measure();
    return errors ? 3 : 0;
}
