// The least a media relay can do: one socket a leg, and what comes to one leaves from its neighbour to whoever was last heard there.
// PROGRAM PORT CALLS listens on 127.0.0.1: call i has the ports PORT + 4i and PORT + 4i + 2.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { ready = 256, size = 2048 };

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int port = atoi(argv[1]), legs = 2 * atoi(argv[2]), wide = 256 << 10;
    int *sockets = calloc((size_t)legs, sizeof *sockets);
    struct sockaddr_in *peers = calloc((size_t)legs, sizeof *peers);
    int epoll = epoll_create1(0);
    for (int i = 0; i < legs; i++) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof wide);
        struct sockaddr_in own = {
            .sin_family = AF_INET, .sin_port = htons((uint16_t)(port + 2 * i)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (bind(fd, (struct sockaddr *)&own, sizeof own)) return 1;
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        sockets[i] = fd;
    }
    static uint8_t buffer[size];
    struct epoll_event events[ready];
    for (;;) {
        int count = epoll_wait(epoll, events, ready, -1);
        for (int n = 0; n < count; n++) {
            uint32_t leg = events[n].data.u32;
            socklen_t length = sizeof peers[leg];
            ssize_t got = recvfrom(sockets[leg], buffer, size, 0, (struct sockaddr *)&peers[leg], &length);
            if (got <= 0 || !peers[leg ^ 1].sin_port) continue;
            sendto(sockets[leg ^ 1], buffer, (size_t)got, 0, (struct sockaddr *)&peers[leg ^ 1], sizeof peers[leg ^ 1]);
        }
    }
}
