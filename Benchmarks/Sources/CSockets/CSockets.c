#define _GNU_SOURCE
#include "CSockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int bench_open(uint16_t port, uint16_t *local) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int size = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    if (bind(fd, (struct sockaddr *)&own, sizeof own) < 0 || connect(fd, (struct sockaddr *)&peer, sizeof peer) < 0 ||
        getsockname(fd, (struct sockaddr *)&own, &length) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    *local = ntohs(own.sin_port);
    return fd;
}

int bench_send(int fd, const uint8_t *bytes, size_t count) {
    while (send(fd, bytes, count, 0) < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != ENOBUFS) return -errno;
        struct pollfd waiting = {.fd = fd, .events = POLLOUT};
        poll(&waiting, 1, 10);
    }
    return 0;
}

int bench_receive(int fd, uint8_t *buffer, size_t capacity) {
    ssize_t length = recv(fd, buffer, capacity, 0);
    if (length >= 0) return (int)length;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int bench_wait(int fd, int milliseconds) {
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll(&waiting, 1, milliseconds) > 0;
}

static int64_t read_clock(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t bench_thread_cpu(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }
int64_t bench_now(void) { return read_clock(CLOCK_MONOTONIC); }
