// Parties of calls that a relay on 127.0.0.1 has bridged: each sends RTP at a steady rate and counts what the other sent.
// PROGRAM PORT RATE SECONDS FILE: party sockets are PORT, PORT + 2 ...; RATE is packets a second of each; FILE holds a line
// "relay-port-of-A relay-port-of-B" for each call. Prints how many were sent, how many arrived, how many of them not as sent or at the
// wrong party, and how long one took on its way, in microseconds: the median and the 99th of a hundred.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { most = 4000, header = 12, payload = 160, buckets = 100000 };

static int64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int sockets[most];
static uint16_t relays[most];
static uint32_t histogram[buckets];
static long sent, received, wrong;

static void receive(int leg) {
    uint8_t packet[2048];
    for (;;) {
        ssize_t got = recv(sockets[leg], packet, sizeof packet, MSG_DONTWAIT);
        if (got < 0) return;
        received++;
        uint32_t ssrc;
        int64_t then;
        memcpy(&ssrc, packet + 8, 4);
        memcpy(&then, packet + header, 8);
        if (got != header + payload || ntohl(ssrc) != (uint32_t)(leg ^ 1) + 1) {
            wrong++;
            continue;
        }
        int64_t took = (nanoseconds() - then) / 1000;
        histogram[took < 0 ? 0 : took < buckets ? took : buckets - 1]++;
    }
}

static void drain(int epoll, int wait) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, wait);
    for (int n = 0; n < count; n++) receive((int)events[n].data.u32);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int port = atoi(argv[1]), legs = 0, wide = 1 << 20;
    double rate = atof(argv[2]), seconds = atof(argv[3]);
    FILE *file = fopen(argv[4], "r");
    unsigned a, b;
    while (file && legs < most && fscanf(file, "%u %u", &a, &b) == 2) {
        relays[legs++] = (uint16_t)a;
        relays[legs++] = (uint16_t)b;
    }
    if (!legs) return 1;
    int epoll = epoll_create1(0);
    for (int leg = 0; leg < legs; leg++) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof wide);
        struct sockaddr_in own = {
            .sin_family = AF_INET, .sin_port = htons((uint16_t)(port + 2 * leg)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct sockaddr_in peer = own;
        peer.sin_port = htons(relays[leg]);
        if (bind(fd, (struct sockaddr *)&own, sizeof own) || connect(fd, (struct sockaddr *)&peer, sizeof peer)) return 1;
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)leg};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        sockets[leg] = fd;
    }
    static uint8_t packet[header + payload];
    packet[0] = 0x80;
    int64_t start = nanoseconds(), end = start + (int64_t)(seconds * 1e9);
    double perNanosecond = rate * legs / 1e9;
    // Legs take turns, so that the packets of one are evenly spaced.
    for (int64_t now = start; now < end; now = nanoseconds()) {
        long due = (long)((double)(now - start) * perNanosecond);
        // What could not be sent in time is left out, not sent in a rush.
        if (due - sent > 4096) due = sent + 4096;
        for (; sent < due; sent++) {
            int leg = (int)(sent % legs);
            uint16_t sequence = htons((uint16_t)(sent / legs));
            uint32_t timestamp = htonl((uint32_t)(sent / legs) * 160), ssrc = htonl((uint32_t)leg + 1);
            int64_t time = nanoseconds();
            memcpy(packet + 2, &sequence, 2);
            memcpy(packet + 4, &timestamp, 4);
            memcpy(packet + 8, &ssrc, 4);
            memcpy(packet + header, &time, 8);
            send(sockets[leg], packet, sizeof packet, 0);
            if (sent % 64 == 63) drain(epoll, 0);
        }
        drain(epoll, 1);
    }
    for (int64_t until = nanoseconds() + 200000000; nanoseconds() < until;) drain(epoll, 10);
    long half = (received - wrong) / 2, most99 = (received - wrong) * 99 / 100, seen = 0, median = 0, high = 0;
    for (int i = 0; i < buckets; i++) {
        if (seen <= half) median = i;
        if (seen <= most99) high = i;
        seen += histogram[i];
    }
    printf("%ld %ld %ld %ld %ld\n", sent, received, wrong, median, high);
    return 0;
}
