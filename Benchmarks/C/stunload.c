// Asks a STUN server on 127.0.0.1 and keeps a window of requests under way: PROGRAM PORT COUNT WINDOW.
// Prints how many were answered, how many were asked again, and the seconds it took.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { slots = 64, size = 1500 };

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    long count = atol(argv[2]), window = atol(argv[3]);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), wide = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof wide);
    struct sockaddr_in peer = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer)) return 1;
    static uint8_t requests[slots][20], replies[slots][size];
    struct iovec out[slots], in[slots];
    struct mmsghdr outgoing[slots], incoming[slots];
    memset(outgoing, 0, sizeof outgoing);
    memset(incoming, 0, sizeof incoming);
    for (int i = 0; i < slots; i++) {
        memcpy(requests[i], "\0\1\0\0\x21\x12\xa4\x42pinholebench", 20);
        out[i] = (struct iovec){requests[i], 20};
        in[i] = (struct iovec){replies[i], size};
        outgoing[i].msg_hdr = (struct msghdr){.msg_iov = &out[i], .msg_iovlen = 1};
        incoming[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
    }
    long answered = 0, wrong = 0, lost = 0, waiting = 0;
    double start = seconds();
    while (answered < count) {
        long room = window - waiting, left = count - answered - waiting;
        if (left < room) room = left;
        while (room > 0) {
            int sent = sendmmsg(fd, outgoing, (unsigned)(room < slots ? room : slots), 0);
            if (sent <= 0) return 1;
            room -= sent;
            waiting += sent;
        }
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, 200) == 0) {
            // Lost in a full buffer: ask anew.
            lost += waiting;
            waiting = 0;
            continue;
        }
        int got = recvmmsg(fd, incoming, slots, MSG_DONTWAIT, NULL);
        if (got <= 0) return 1;
        for (int i = 0; i < got; i++) {
            if (incoming[i].msg_len < 32 || replies[i][0] != 1 || replies[i][1] != 1) wrong++;
        }
        answered += got;
        waiting -= got < waiting ? got : waiting;
    }
    printf("answered %ld lost %ld wrong %ld seconds %f\n", answered, lost, wrong, seconds() - start);
    return wrong > 0;
}
