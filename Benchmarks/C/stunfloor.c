// The least a STUN service can do: epoll, recvmmsg, eight fields written, sendmmsg. What it costs is the kernel's price.
// PROGRAM PORT listens on 127.0.0.1.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { slots = 64, size = 2048 };
static uint8_t buffers[slots][size];

/// A binding request becomes its success response in place; its new length, 0 for anything else.
static size_t answer(uint8_t *m, size_t length, const struct sockaddr_in *from) {
    static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};
    if (length < 20 || m[0] != 0 || m[1] != 1 || memcmp(m + 4, cookie, 4)) return 0;
    static const uint8_t head[] = {0x00, 0x20, 0x00, 0x08, 0x00, 0x01};
    const uint8_t *port = (const uint8_t *)&from->sin_port, *address = (const uint8_t *)&from->sin_addr;
    m[0] = 1;
    m[2] = 0;
    m[3] = 12;
    memcpy(m + 20, head, sizeof head);
    for (int i = 0; i < 2; i++) m[26 + i] = port[i] ^ cookie[i];
    for (int i = 0; i < 4; i++) m[28 + i] = address[i] ^ cookie[i];
    return 32;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), wide = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof wide);
    struct sockaddr_in own = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&own, sizeof own)) return 1;
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    struct sockaddr_in peers[slots];
    struct iovec vectors[slots];
    struct mmsghdr in[slots], out[slots];
    for (;;) {
        epoll_wait(epoll, &event, 1, -1);
        for (int i = 0; i < slots; i++) {
            vectors[i] = (struct iovec){buffers[i], size};
            in[i].msg_hdr = (struct msghdr){
                .msg_name = &peers[i], .msg_namelen = sizeof peers[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
        }
        int count = recvmmsg(fd, in, slots, 0, NULL), ready = 0;
        for (int i = 0; i < count; i++) {
            size_t length = answer(buffers[i], in[i].msg_len, &peers[i]);
            if (!length) continue;
            vectors[i].iov_len = length;
            out[ready].msg_hdr = in[i].msg_hdr;
            ready++;
        }
        for (int sent = 0; sent < ready;) {
            int n = sendmmsg(fd, out + sent, (unsigned)(ready - sent), 0);
            sent += n > 0 ? n : 1;
        }
    }
}
