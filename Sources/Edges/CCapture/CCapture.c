#define _GNU_SOURCE
#include "CCapture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef union {
    char space[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    struct cmsghdr aligned;
} control_space;

struct pc_ring {
    unsigned slots;
    size_t slotSize;
    uint8_t *octets;
    struct mmsghdr *headers;
    struct iovec *vectors;
    struct sockaddr_ll *addresses;
    control_space *controls;
    pc_packet *packets;
};

pc_ring *pc_ring_create(unsigned slots, size_t slotSize) {
    pc_ring *ring = calloc(1, sizeof *ring);
    if (!ring) return NULL;
    ring->slots = slots;
    ring->slotSize = slotSize;
    ring->octets = malloc(slots * slotSize);
    ring->headers = calloc(slots, sizeof *ring->headers);
    ring->vectors = calloc(slots, sizeof *ring->vectors);
    ring->addresses = calloc(slots, sizeof *ring->addresses);
    ring->controls = calloc(slots, sizeof *ring->controls);
    ring->packets = calloc(slots, sizeof *ring->packets);
    if (!ring->octets || !ring->headers || !ring->vectors || !ring->addresses || !ring->controls || !ring->packets) {
        pc_ring_destroy(ring);
        return NULL;
    }
    return ring;
}

void pc_ring_destroy(pc_ring *ring) {
    if (!ring) return;
    free(ring->octets);
    free(ring->headers);
    free(ring->vectors);
    free(ring->addresses);
    free(ring->controls);
    free(ring->packets);
    free(ring);
}

const uint8_t *pc_ring_payload(const pc_ring *ring, unsigned slot) { return ring->octets + slot * ring->slotSize; }

pc_packet pc_ring_packet(const pc_ring *ring, unsigned slot) { return ring->packets[slot]; }

int pc_open(int interface, int receiveBuffer) {
    // SOCK_DGRAM: the kernel takes the link header off, whatever the interface is. Protocol 0 until bound: nothing foreign slips in.
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on);
    // FORCE needs a privilege that capturing needs anyhow; without it the plain limit holds.
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receiveBuffer, sizeof receiveBuffer) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, sizeof receiveBuffer);
    struct sockaddr_ll address = {0};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = interface;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int pc_interface(const char *name) {
    unsigned index = if_nametoindex(name);
    return index ? (int)index : -errno;
}

int pc_is_loopback(int interface) {
    struct ifreq request = {0};
    if (!if_indextoname((unsigned)interface, request.ifr_name)) return 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0;
    int is = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_LOOPBACK) != 0;
    close(fd);
    return is;
}

int pc_receive(int fd, pc_ring *ring) {
    for (unsigned i = 0; i < ring->slots; i++) {
        ring->vectors[i] = (struct iovec){ring->octets + i * ring->slotSize, ring->slotSize};
        struct msghdr *header = &ring->headers[i].msg_hdr;
        memset(header, 0, sizeof *header);
        header->msg_name = &ring->addresses[i];
        header->msg_namelen = sizeof ring->addresses[i];
        header->msg_iov = &ring->vectors[i];
        header->msg_iovlen = 1;
        header->msg_control = &ring->controls[i];
        header->msg_controllen = sizeof ring->controls[i];
    }
    // MSG_TRUNC: lengths as they were on the wire.
    int count = recvmmsg(fd, ring->headers, ring->slots, MSG_DONTWAIT | MSG_TRUNC, NULL);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        pc_packet *packet = &ring->packets[i];
        struct msghdr *header = &ring->headers[i].msg_hdr;
        packet->wire = ring->headers[i].msg_len;
        packet->captured = packet->wire < ring->slotSize ? packet->wire : (uint32_t)ring->slotSize;
        packet->protocol = ntohs(ring->addresses[i].sll_protocol);
        packet->direction = ring->addresses[i].sll_pkttype;
        packet->interface = ring->addresses[i].sll_ifindex;
        packet->time = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
                struct timespec stamp;
                memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
                packet->time = (int64_t)stamp.tv_sec * 1000000000 + stamp.tv_nsec;
            }
        }
        if (packet->time == 0) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            packet->time = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
        }
    }
    return count;
}

unsigned pc_drops(int fd) {
    struct tpacket_stats statistics = {0};
    socklen_t length = sizeof statistics;
    return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) == 0 ? statistics.tp_drops : 0;
}

static void interrupts(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

int pc_interrupts(void) {
    sigset_t set;
    interrupts(&set);
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error != 0) return -error;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

void pc_interrupts_restore(int fd) {
    // What came meanwhile is taken off first: it has done its work.
    struct signalfd_siginfo seen;
    while (read(fd, &seen, sizeof seen) == sizeof seen) {}
    close(fd);
    sigset_t set;
    interrupts(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int pc_listen(const char *address, uint16_t port, int stream, uint16_t *bound) {
    char service[8];
    struct addrinfo hints = {0}, *found = NULL;
    hints.ai_family = address ? AF_UNSPEC : AF_INET6;
    hints.ai_socktype = stream ? SOCK_STREAM : SOCK_DGRAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
    int n = 0;
    uint16_t rest = port;
    char digits[6];
    do { digits[n++] = (char)('0' + rest % 10); rest /= 10; } while (rest);
    for (int i = 0; i < n; i++) service[i] = digits[n - 1 - i];
    service[n] = 0;
    if (getaddrinfo(address, service, &hints, &found) != 0 || !found) return -EINVAL;
    int on = 1, off = 0;
    int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 && !address && errno == EAFNOSUPPORT) {
        // A machine without IPv6: all of IPv4 then.
        freeaddrinfo(found);
        return pc_listen("0.0.0.0", port, stream, bound);
    }
    int error = fd < 0 ? errno : 0;
    if (!error) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (!address) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        int room = 8 << 20;
        if (!stream && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
        if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || (stream && listen(fd, 16) != 0)) error = errno;
    }
    if (!error && bound) {
        struct sockaddr_storage name;
        socklen_t length = sizeof name;
        *bound = port;
        if (getsockname(fd, (struct sockaddr *)&name, &length) == 0)
            *bound = ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port
                                                      : ((struct sockaddr_in *)&name)->sin_port);
    }
    freeaddrinfo(found);
    if (error) {
        if (fd >= 0) close(fd);
        return -error;
    }
    return fd;
}

int pc_accept(int fd) {
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return connection < 0 ? -errno : connection;
}

int pc_wait(const int *descriptors, uint8_t *ready, unsigned count, int milliseconds) {
    struct pollfd waits[128];
    if (count > 128) return -EINVAL;
    for (unsigned i = 0; i < count; i++) waits[i] = (struct pollfd){descriptors[i], POLLIN, 0};
    int result = poll(waits, count, milliseconds);
    if (result < 0) {
        memset(ready, 0, count);
        return errno == EINTR ? 0 : -errno;
    }
    for (unsigned i = 0; i < count; i++) ready[i] = waits[i].revents != 0;
    return result;
}

long pc_read(int fd, void *into, size_t count) {
    ssize_t result = read(fd, into, count);
    return result < 0 ? -errno : result;
}

void pc_close(int fd) { close(fd); }

int pc_temporary_file(const char *folder) {
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    // File systems without O_TMPFILE.
    char name[4096];
    if (snprintf(name, sizeof name, "%s/pinhole-XXXXXX", folder) >= (int)sizeof name) return -ENAMETOOLONG;
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0) return -errno;
    unlink(name);
    return fd;
}
