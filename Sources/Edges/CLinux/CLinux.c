#define _GNU_SOURCE
#include "CLinux.h"
#include "addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONTROL_SIZE 64

struct pl_batch {
    unsigned slots;
    /// Of a batch to receive with: how many headers have to be made anew.
    unsigned filled;
    size_t slotSize;
    uint8_t *payload;
    struct mmsghdr *headers;
    struct iovec *vectors;
    struct sockaddr_storage *names;
    uint8_t *controls;
};

pl_batch *pl_batch_create(unsigned slots, size_t slotSize) {
    pl_batch *batch = calloc(1, sizeof *batch);
    if (!batch) return NULL;
    batch->slots = slots;
    batch->filled = slots;
    batch->slotSize = slotSize;
    batch->payload = malloc(slots * slotSize);
    batch->headers = calloc(slots, sizeof *batch->headers);
    batch->vectors = calloc(slots, sizeof *batch->vectors);
    batch->names = calloc(slots, sizeof *batch->names);
    batch->controls = calloc(slots, CONTROL_SIZE);
    if (!batch->payload || !batch->headers || !batch->vectors || !batch->names || !batch->controls) {
        pl_batch_destroy(batch);
        return NULL;
    }
    return batch;
}

void pl_batch_destroy(pl_batch *batch) {
    if (!batch) return;
    free(batch->payload);
    free(batch->headers);
    free(batch->vectors);
    free(batch->names);
    free(batch->controls);
    free(batch);
}

unsigned pl_batch_slots(const pl_batch *batch) { return batch->slots; }
uint8_t *pl_batch_payload(pl_batch *batch, unsigned slot) { return batch->payload + slot * batch->slotSize; }
size_t pl_batch_length(const pl_batch *batch, unsigned slot) { return batch->headers[slot].msg_len; }

pl_address pl_from_sockaddr(const struct sockaddr_storage *name) {
    pl_address address;
    memset(&address, 0, sizeof address);
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)name;
        address.family = 4;
        memcpy(address.bytes, &v4->sin_addr, 4);
        address.port = ntohs(v4->sin_port);
    } else if (name->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)name;
        address.family = 6;
        memcpy(address.bytes, &v6->sin6_addr, 16);
        address.port = ntohs(v6->sin6_port);
        address.scope = v6->sin6_scope_id;
    }
    return address;
}

socklen_t pl_to_sockaddr(const pl_address *address, struct sockaddr_storage *name) {
    memset(name, 0, sizeof(struct sockaddr_in6));
    if (address->family == 6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)name;
        v6->sin6_family = AF_INET6;
        memcpy(&v6->sin6_addr, address->bytes, 16);
        v6->sin6_port = htons(address->port);
        v6->sin6_scope_id = address->scope;
        return sizeof *v6;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)name;
    v4->sin_family = AF_INET;
    memcpy(&v4->sin_addr, address->bytes, 4);
    v4->sin_port = htons(address->port);
    return sizeof *v4;
}

pl_address pl_batch_source(const pl_batch *batch, unsigned slot) { return pl_from_sockaddr(&batch->names[slot]); }

pl_address pl_batch_local(const pl_batch *batch, unsigned slot) {
    pl_address address;
    memset(&address, 0, sizeof address);
    struct msghdr *header = &batch->headers[slot].msg_hdr;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            address.family = 4;
            memcpy(address.bytes, &info.ipi_addr, 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            address.family = 6;
            memcpy(address.bytes, &info.ipi6_addr, 16);
            address.scope = info.ipi6_ifindex;
        }
    }
    return address;
}

void pl_batch_address(pl_batch *batch, unsigned slot, size_t length, const pl_address *destination, const pl_address *source) {
    struct msghdr *header = &batch->headers[slot].msg_hdr;
    memset(header, 0, sizeof *header);
    batch->vectors[slot].iov_base = pl_batch_payload(batch, slot);
    batch->vectors[slot].iov_len = length;
    header->msg_iov = &batch->vectors[slot];
    header->msg_iovlen = 1;
    header->msg_name = &batch->names[slot];
    header->msg_namelen = pl_to_sockaddr(destination, &batch->names[slot]);
    if (source->family == 0) return;
    uint8_t *control = batch->controls + (size_t)slot * CONTROL_SIZE;
    memset(control, 0, CONTROL_SIZE);
    header->msg_control = control;
    if (source->family == 4) {
        header->msg_controllen = CMSG_SPACE(sizeof(struct in_pktinfo));
        struct cmsghdr *c = CMSG_FIRSTHDR(header);
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
        struct in_pktinfo info;
        memset(&info, 0, sizeof info);
        memcpy(&info.ipi_spec_dst, source->bytes, 4);
        memcpy(CMSG_DATA(c), &info, sizeof info);
    } else {
        header->msg_controllen = CMSG_SPACE(sizeof(struct in6_pktinfo));
        struct cmsghdr *c = CMSG_FIRSTHDR(header);
        c->cmsg_level = IPPROTO_IPV6;
        c->cmsg_type = IPV6_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo));
        struct in6_pktinfo info;
        memset(&info, 0, sizeof info);
        memcpy(&info.ipi6_addr, source->bytes, 16);
        info.ipi6_ifindex = source->scope;
        memcpy(CMSG_DATA(c), &info, sizeof info);
    }
}

int pl_udp_open(const pl_address *local, bool sharePort, bool hearErrors, int receiveBuffer, pl_address *bound) {
    int family = local->family == 6 ? AF_INET6 : AF_INET;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int one = 1;
    if (sharePort) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (receiveBuffer > 0) {
        // The forced form passes the system's limit where we may; the plain form takes what it gives.
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receiveBuffer, sizeof receiveBuffer) < 0)
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, sizeof receiveBuffer);
    }
    if (hearErrors) {
        if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof one);
        else setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof one);
    }
    static const uint8_t anywhere[sizeof local->bytes];
    // Only a socket on all addresses has to be told which one a datagram was sent to.
    bool needsLocal = memcmp(local->bytes, anywhere, family == AF_INET6 ? 16 : 4) == 0;
    int failed = 0;
    if (family == AF_INET6) {
        failed |= setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
        if (needsLocal) failed |= setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
    } else if (needsLocal) {
        failed |= setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
    }
    struct sockaddr_storage name;
    socklen_t length = pl_to_sockaddr(local, &name);
    if (failed || bind(fd, (struct sockaddr *)&name, length) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    length = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &length) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    *bound = pl_from_sockaddr(&name);
    return fd;
}

int pl_udp_error(int fd, pl_address *destination) {
    struct sockaddr_storage name;
    memset(&name, 0, sizeof name);
    uint8_t byte;
    struct iovec vector = {&byte, 1};
    _Alignas(struct cmsghdr) uint8_t control[512];
    struct msghdr header;
    memset(&header, 0, sizeof header);
    header.msg_name = &name;
    header.msg_namelen = sizeof name;
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    if (recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return 0;
    *destination = pl_from_sockaddr(&name);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        bool isError = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR)
            || (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
        if (!isError) continue;
        struct sock_extended_err error;
        memcpy(&error, CMSG_DATA(c), sizeof error);
        return error.ee_errno ? (int)error.ee_errno : EIO;
    }
    return EIO;
}

int pl_udp_receive(int fd, pl_batch *batch) {
    // The kernel has written into those of the last call only.
    for (unsigned slot = 0; slot < batch->filled; slot++) {
        struct msghdr *header = &batch->headers[slot].msg_hdr;
        batch->vectors[slot].iov_base = pl_batch_payload(batch, slot);
        batch->vectors[slot].iov_len = batch->slotSize;
        header->msg_iov = &batch->vectors[slot];
        header->msg_iovlen = 1;
        header->msg_name = &batch->names[slot];
        header->msg_namelen = sizeof batch->names[slot];
        header->msg_control = batch->controls + (size_t)slot * CONTROL_SIZE;
        header->msg_controllen = CONTROL_SIZE;
        header->msg_flags = 0;
    }
    int count = recvmmsg(fd, batch->headers, batch->slots, MSG_DONTWAIT, NULL);
    batch->filled = count > 0 ? (unsigned)count : 0;
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    return count;
}

int pl_udp_send(int fd, pl_batch *batch, unsigned from, unsigned to) {
    int count;
    int tries = 0;
    do {
        count = sendmmsg(fd, batch->headers + from, to - from, 0);
        // An ICMP error about an earlier datagram is reported once, by whatever call comes next: this one is innocent.
    } while (count < 0 && (errno == EINTR || ((errno == ECONNREFUSED || errno == EHOSTUNREACH) && tries++ < 2)));
    return count < 0 ? -errno : count;
}

int pl_epoll_create(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int pl_epoll_add(int epoll, int fd, uint64_t tag) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.u64 = tag;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int pl_epoll_set(int epoll, int fd, uint64_t tag, int interest) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = interest == 2 ? EPOLLOUT : EPOLLIN;
    event.data.u64 = tag;
    if (interest == 0) return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event) < 0 && errno != ENOENT ? -errno : 0;
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
    return errno == ENOENT && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

int pl_epoll_wait(int epoll, uint64_t *tags, int capacity, int64_t nanoseconds) {
    struct epoll_event events[256];
    if (capacity > 256) capacity = 256;
    struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    int count = epoll_pwait2(epoll, events, capacity, nanoseconds < 0 ? NULL : &limit, NULL);
    if (count < 0 && errno == ENOSYS)
        count = epoll_wait(epoll, events, capacity, nanoseconds < 0 ? -1 : (int)((nanoseconds + 999999) / 1000000));
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) tags[i] = events[i].data.u64;
    return count;
}

int pl_eventfd_create(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void pl_eventfd_signal(int fd) {
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
}

void pl_eventfd_drain(int fd) {
    uint64_t value;
    ssize_t ignored = read(fd, &value, sizeof value);
    (void)ignored;
}

void pl_close(int fd) { close(fd); }

static int64_t clock_nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int pl_accept(int fd) {
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    return accepted < 0 ? -errno : accepted;
}

int64_t pl_peer_user(int fd) {
    struct ucred who;
    socklen_t length = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0 ? -errno : (int64_t)who.uid;
}

int64_t pl_wall_clock(void) { return clock_nanoseconds(CLOCK_REALTIME); }
int64_t pl_monotonic_clock(void) { return clock_nanoseconds(CLOCK_MONOTONIC); }
int64_t pl_cpu_clock(void) { return clock_nanoseconds(CLOCK_PROCESS_CPUTIME_ID); }

int pl_random(void *buffer, size_t count) {
    size_t done = 0;
    while (done < count) {
        ssize_t got = getrandom((uint8_t *)buffer + done, count - done, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        done += (size_t)got;
    }
    return 0;
}

void pl_error_text(int error, char *buffer, size_t capacity) {
    const char *text = strerror_r(error, buffer, capacity);
    if (text != buffer) {
        strncpy(buffer, text, capacity - 1);
        buffer[capacity - 1] = 0;
    }
}

int pl_route_source(const pl_address *destination, pl_address *source) {
    struct sockaddr_storage name;
    socklen_t length = pl_to_sockaddr(destination, &name);
    int fd = socket(destination->family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    // Connecting a UDP socket sends nothing: it only asks the routing table.
    int error = 0;
    if (connect(fd, (struct sockaddr *)&name, length) < 0) error = errno;
    length = sizeof name;
    if (!error && getsockname(fd, (struct sockaddr *)&name, &length) < 0) error = errno;
    close(fd);
    if (error) return -error;
    *source = pl_from_sockaddr(&name);
    return 0;
}
