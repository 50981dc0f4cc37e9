/* The mock model server of the gateway's benchmark, cheap enough to share a core with the load.

   upstream PORT ANSWER EVENTS

   A POST gets the file ANSWER as JSON or, where its body asks for a stream, the events of the
   file EVENTS one by one, round robin over all open streams. A stream whose request says
   "hold-open" stops after its first event until GET /_release. GET /_stats counts connections,
   requests and streams. upstream.py is the same in Python, for a machine without a compiler. */

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 64, READ_SIZE = 1 << 14, MAX_REQUEST = 16 << 20, BATCH = 256 };

typedef struct { char *bytes; size_t size; } Piece;

typedef struct Conn {
    int fd, next_event;
    bool open, streaming, held, close_after;
    char *in;
    size_t have, room;
    size_t sent;              /* bytes of the current piece that are out */
    struct Conn *before, *after; /* the list of open streams */
} Conn;

static Piece answer, events[MAX_EVENTS], models;
static int event_count, epoll;
static Conn streams = {.before = &streams, .after = &streams};
static Conn *graves[BATCH * 2];
static int grave_count;
static unsigned long connections, requests, streams_done;

static void die(const char *what) { perror(what); exit(1); }

static Piece read_whole(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    fseek(file, 0, SEEK_END);
    Piece piece = {.size = (size_t)ftell(file)};
    rewind(file);
    piece.bytes = malloc(piece.size + 1);
    if (fread(piece.bytes, 1, piece.size, file) != piece.size) die(path);
    piece.bytes[piece.size] = 0;
    fclose(file);
    return piece;
}

static Piece joined(const char *head, const char *body, size_t size, const char *tail) {
    Piece piece = {.size = strlen(head) + size + strlen(tail)};
    piece.bytes = malloc(piece.size + 1);
    char *end = stpcpy(piece.bytes, head);
    memcpy(end, body, size);
    strcpy(end + size, tail);
    return piece;
}

static Piece json(const char *body, size_t size) {
    char head[128];
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n", size);
    return joined(head, body, size, "");
}

static void cut_events(Piece text) {
    const char *start = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                        "transfer-encoding: chunked\r\n\r\n";
    char *at = text.bytes, *end;
    while ((end = strstr(at, "\n\n")) && event_count < MAX_EVENTS) {
        size_t size = (size_t)(end + 2 - at);
        bool last = !strstr(end + 2, "\n\n");
        char head[160];
        snprintf(head, sizeof head, "%s%zx\r\n", event_count ? "" : start, size);
        events[event_count++] = joined(head, at, size, last ? "\r\n0\r\n\r\n" : "\r\n");
        at = end + 2;
    }
}

static void unlink_stream(Conn *conn) {
    if (!conn->after) return;
    conn->before->after = conn->after;
    conn->after->before = conn->before;
    conn->before = conn->after = NULL;
}

static void link_stream(Conn *conn) {
    conn->before = streams.before;
    conn->after = &streams;
    streams.before->after = conn;
    streams.before = conn;
}

/* Freed once the batch of ready sockets is over: a later entry of it may still point here. */
static void hang_up(Conn *conn) {
    if (!conn->open) return;
    conn->open = false;
    unlink_stream(conn);
    close(conn->fd);
    free(conn->in);
    conn->in = NULL;
    graves[grave_count++] = conn;
}

static void bury(void) {
    while (grave_count) free(graves[--grave_count]);
}

static void send_all(Conn *conn, Piece piece) {
    size_t sent = 0;
    while (sent < piece.size) {
        ssize_t n = send(conn->fd, piece.bytes + sent, piece.size - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) continue;
        if (n < 0) { hang_up(conn); return; }
        sent += (size_t)n;
    }
    if (conn->close_after) hang_up(conn);
}

static void send_json(Conn *conn, const char *body) {
    Piece piece = json(body, strlen(body));
    send_all(conn, piece);
    free(piece.bytes);
}

/* Held streams are not in the list; the table of all connections finds them. */
static Conn *held[1 << 17];
static int held_count;

static void release_held(void) {
    for (int i = 0; i < held_count; i++) {
        held[i]->held = false;
        link_stream(held[i]);
    }
    held_count = 0;
}

static void forget_held(Conn *conn) {
    for (int i = 0; conn->held && i < held_count; i++)
        if (held[i] == conn) { held[i] = held[--held_count]; return; }
}

/* One event of one stream; whether anything moved. */
static bool send_event(Conn *conn) {
    Piece event = events[conn->next_event];
    ssize_t n = send(conn->fd, event.bytes + conn->sent, event.size - conn->sent, MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN) hang_up(conn);
        return false;
    }
    conn->sent += (size_t)n;
    if (conn->sent < event.size) return true;
    conn->sent = 0;
    conn->next_event++;
    if (conn->held) {
        unlink_stream(conn);
        held[held_count++] = conn;
    } else if (conn->next_event == event_count) {
        streams_done++;
        conn->streaming = false;
        unlink_stream(conn);
        if (conn->close_after) hang_up(conn);
    }
    return true;
}

static void answer_get(Conn *conn) {
    char body[160];
    if (!strncmp(conn->in, "GET /_stats", 11)) {
        snprintf(body, sizeof body,
                 "{\"connections\": %lu, \"requests\": %lu, \"streams\": %lu, \"held\": %d}",
                 connections, requests, streams_done, held_count);
        send_json(conn, body);
    } else if (!strncmp(conn->in, "GET /_release", 13)) {
        release_held();
        send_json(conn, "{}");
    } else {
        send_all(conn, models);
    }
}

static void answer_request(Conn *conn, const char *body) {
    conn->close_after = strcasestr(conn->in, "\r\nconnection: close") != NULL;
    if (conn->in[0] == 'G') { answer_get(conn); return; }
    requests++;
    if (!strstr(body, "\"stream\":true") && !strstr(body, "\"stream\": true")) {
        send_all(conn, answer);
        return;
    }
    conn->held = strstr(body, "hold-open") != NULL;
    conn->streaming = true;
    conn->next_event = 0;
    link_stream(conn);
}

/* Where a whole request ends in the buffer, or 0. */
static size_t request_end(Conn *conn, char **body) {
    char *end = strstr(conn->in, "\r\n\r\n");
    if (!end) return 0;
    *body = end + 4;
    size_t head = (size_t)(end + 4 - conn->in);
    *end = 0;
    char *length = strcasestr(conn->in, "\r\ncontent-length:");
    bool chunked = strcasestr(conn->in, "\r\ntransfer-encoding: chunked") != NULL;
    *end = '\r';
    if (chunked) {
        char *last = strstr(*body - 2, "\r\n0\r\n\r\n");
        return last ? (size_t)(last + 7 - conn->in) : 0;
    }
    size_t whole = head + (length ? strtoul(length + 17, NULL, 10) : 0);
    return conn->have >= whole ? whole : 0;
}

static void take_requests(Conn *conn) {
    char *body;
    size_t whole;
    while (conn->open && !conn->streaming && conn->have && (whole = request_end(conn, &body))) {
        char kept = conn->in[whole];
        conn->in[whole] = 0;
        answer_request(conn, body);
        if (!conn->open) return;
        conn->in[whole] = kept;
        conn->have -= whole;
        memmove(conn->in, conn->in + whole, conn->have + 1);
    }
    if (conn->open && !conn->have) {
        free(conn->in);
        conn->in = NULL;
        conn->room = 0;
    }
}

static void read_some(Conn *conn) {
    if (conn->room < conn->have + READ_SIZE + 1) {
        conn->room = conn->have * 2 + READ_SIZE + 1;
        conn->in = realloc(conn->in, conn->room);
    }
    ssize_t n = recv(conn->fd, conn->in + conn->have, READ_SIZE, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0 || conn->have > MAX_REQUEST) { forget_held(conn); hang_up(conn); return; }
    conn->have += (size_t)n;
    conn->in[conn->have] = 0;
    take_requests(conn);
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        Conn *conn = calloc(1, sizeof *conn);
        conn->fd = fd;
        conn->open = true;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
        connections++;
    }
}

static int listen_on(int port) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096)) die("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    return fd;
}

/* One event for each open stream; whether any moved. */
static bool send_round(void) {
    bool moved = false;
    for (Conn *conn = streams.after, *next; conn != &streams; conn = next) {
        next = conn->after;
        moved |= send_event(conn);
        if (conn->open && !conn->streaming) take_requests(conn);
        if (grave_count >= BATCH) break;
    }
    return moved;
}

int main(int argc, char **argv) {
    if (argc != 4) { fprintf(stderr, "upstream PORT ANSWER EVENTS\n"); return 2; }
    signal(SIGPIPE, SIG_IGN);
    Piece body = read_whole(argv[2]);
    answer = json(body.bytes, body.size);
    const char *list = "{\"object\": \"list\", \"data\": [{\"id\": \"mock\", \"object\": \"model\"}]}";
    models = json(list, strlen(list));
    cut_events(read_whole(argv[3]));
    int listener = listen_on(atoi(argv[1]));
    struct epoll_event ready[BATCH];
    bool moved = true;
    for (;;) {
        int wait = streams.after == &streams ? -1 : moved ? 0 : 1;
        int count = epoll_wait(epoll, ready, BATCH, wait);
        for (int i = 0; i < count; i++) {
            Conn *conn = ready[i].data.ptr;
            if (!conn) accept_all(listener);
            else if (conn->open) read_some(conn);
        }
        bury();
        moved = send_round();
        bury();
    }
}
