#define _GNU_SOURCE
#include "CLinux.h"
#include "addresses.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CONTROL_SIZE 64

struct pl_relay {
    unsigned slots, queued;
    size_t slotSize, room;
    /// Slots whose headers the last call has changed.
    unsigned used;
    uint8_t *payload;
    struct mmsghdr *in, *out;
    struct iovec *inVectors, *outVectors;
    struct sockaddr_storage *inNames, *outNames;
    uint8_t *controls;
};

pl_relay *pl_relay_create(unsigned slots, size_t slotSize, size_t room) {
    pl_relay *relay = calloc(1, sizeof *relay);
    if (!relay) return NULL;
    relay->slots = slots;
    relay->slotSize = slotSize;
    relay->room = room;
    relay->payload = aligned_alloc(64, slots * slotSize);
    relay->in = calloc(slots, sizeof *relay->in);
    relay->out = calloc(slots, sizeof *relay->out);
    relay->inVectors = calloc(slots, sizeof *relay->inVectors);
    relay->outVectors = calloc(slots, sizeof *relay->outVectors);
    relay->inNames = calloc(slots, sizeof *relay->inNames);
    relay->outNames = calloc(slots, sizeof *relay->outNames);
    relay->controls = calloc(slots, CONTROL_SIZE);
    if (!relay->payload || !relay->in || !relay->out || !relay->inVectors || !relay->outVectors || !relay->inNames
        || !relay->outNames || !relay->controls) {
        pl_relay_destroy(relay);
        return NULL;
    }
    for (unsigned slot = 0; slot < slots; slot++) {
        relay->inVectors[slot].iov_base = relay->payload + slot * slotSize;
        relay->inVectors[slot].iov_len = slotSize - room;
        struct msghdr *header = &relay->in[slot].msg_hdr;
        header->msg_iov = &relay->inVectors[slot];
        header->msg_iovlen = 1;
        header->msg_name = &relay->inNames[slot];
        header->msg_namelen = sizeof relay->inNames[slot];
        header = &relay->out[slot].msg_hdr;
        header->msg_iov = &relay->outVectors[slot];
        header->msg_iovlen = 1;
        header->msg_name = &relay->outNames[slot];
    }
    return relay;
}

void pl_relay_destroy(pl_relay *relay) {
    if (!relay) return;
    free(relay->payload);
    free(relay->in);
    free(relay->out);
    free(relay->inVectors);
    free(relay->outVectors);
    free(relay->inNames);
    free(relay->outNames);
    free(relay->controls);
    free(relay);
}

/// The usual case, one datagram at a socket, by the cheapest call.
static int receive_one(pl_relay *relay, int fd) {
    socklen_t length = sizeof relay->inNames[0];
    // With this flag the length is told even where it is more than was wanted.
    ssize_t got = recvfrom(
        fd, relay->payload, relay->slotSize - relay->room, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&relay->inNames[0], &length);
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    bool isCut = (size_t)got > relay->slotSize - relay->room;
    relay->in[0].msg_hdr.msg_flags = isCut ? MSG_TRUNC : 0;
    relay->in[0].msg_len = (unsigned)got;
    return 1;
}

int pl_relay_receive(pl_relay *relay, int fd, bool expectsMore) {
    if (!expectsMore) {
        relay->queued = 0;
        return receive_one(relay, fd);
    }
    for (unsigned slot = 0; slot < relay->used; slot++) relay->in[slot].msg_hdr.msg_namelen = sizeof relay->inNames[slot];
    relay->used = 0;
    relay->queued = 0;
    int count = recvmmsg(fd, relay->in, relay->slots, MSG_DONTWAIT, NULL);
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    relay->used = (unsigned)count;
    return count;
}

uint8_t *pl_relay_payload(pl_relay *relay, unsigned slot) { return relay->payload + slot * relay->slotSize; }

size_t pl_relay_length(const pl_relay *relay, unsigned slot) {
    return relay->in[slot].msg_hdr.msg_flags & MSG_TRUNC ? 0 : relay->in[slot].msg_len;
}

void pl_relay_source(const pl_relay *relay, unsigned slot, pl_address *source) {
    *source = pl_from_sockaddr(&relay->inNames[slot]);
}

/// Fills in who is to have sent it; the length of the control data, 0: nothing to say.
static size_t say_source(uint8_t *control, const pl_address *source) {
    if (source->family == 0) return 0;
    struct cmsghdr *c = (struct cmsghdr *)control;
    memset(control, 0, CONTROL_SIZE);
    if (source->family == 4) {
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
        struct in_pktinfo info;
        memset(&info, 0, sizeof info);
        memcpy(&info.ipi_spec_dst, source->bytes, 4);
        memcpy(CMSG_DATA(c), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    c->cmsg_level = IPPROTO_IPV6;
    c->cmsg_type = IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo));
    struct in6_pktinfo info;
    memset(&info, 0, sizeof info);
    memcpy(&info.ipi6_addr, source->bytes, 16);
    info.ipi6_ifindex = source->scope;
    memcpy(CMSG_DATA(c), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
}

void pl_relay_queue(pl_relay *relay, unsigned slot, size_t length, const pl_address *destination, const pl_address *source) {
    unsigned place = relay->queued++;
    struct msghdr *header = &relay->out[place].msg_hdr;
    relay->outVectors[place].iov_base = pl_relay_payload(relay, slot);
    relay->outVectors[place].iov_len = length;
    header->msg_namelen = pl_to_sockaddr(destination, &relay->outNames[place]);
    uint8_t *control = relay->controls + (size_t)place * CONTROL_SIZE;
    header->msg_controllen = say_source(control, source);
    header->msg_control = header->msg_controllen ? control : NULL;
}

unsigned pl_relay_queued(const pl_relay *relay) { return relay->queued; }

unsigned pl_relay_flush(pl_relay *relay, int fd) {
    unsigned at = 0, left = 0;
    unsigned refusals = 0;
    while (at < relay->queued) {
        int count;
        struct msghdr *header = &relay->out[at].msg_hdr;
        if (relay->queued - at == 1 && !header->msg_control) {
            struct iovec *vector = header->msg_iov;
            count = sendto(fd, vector->iov_base, vector->iov_len, MSG_DONTWAIT, header->msg_name, header->msg_namelen) < 0 ? -1 : 1;
        } else if (relay->queued - at == 1) count = sendmsg(fd, header, MSG_DONTWAIT) < 0 ? -1 : 1;
        else count = sendmmsg(fd, relay->out + at, relay->queued - at, MSG_DONTWAIT);
        if (count > 0) {
            at += (unsigned)count;
            left += (unsigned)count;
        } else if (errno == EINTR) {
            continue;
        } else if ((errno == ECONNREFUSED || errno == EHOSTUNREACH) && refusals++ < 2) {
            // An ICMP error about an earlier datagram is reported once, by whatever call comes next: this one is innocent.
            continue;
        } else {
            at++;
        }
    }
    relay->queued = 0;
    return left;
}

int pl_udp_send_one(int fd, const uint8_t *payload, size_t length, const pl_address *destination, const pl_address *source) {
    struct sockaddr_storage name;
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_SIZE];
    struct iovec vector = {(void *)payload, length};
    struct msghdr header;
    memset(&header, 0, sizeof header);
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_name = &name;
    header.msg_namelen = pl_to_sockaddr(destination, &name);
    header.msg_controllen = say_source(control, source);
    header.msg_control = header.msg_controllen ? control : NULL;
    for (int tries = 0;; tries++) {
        if (sendmsg(fd, &header, MSG_DONTWAIT) >= 0) return 0;
        bool mayRetry = errno == EINTR || ((errno == ECONNREFUSED || errno == EHOSTUNREACH) && tries < 2);
        if (!mayRetry) return -errno;
    }
}

int pl_media_open(const pl_address *local, int buffer) {
    int family = local->family == 6 ? AF_INET6 : AF_INET;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int one = 1;
    if (buffer > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    // EF (RFC 3246): what routers take for voice. A wish, no need.
    int trafficClass = 0xb8;
    if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &trafficClass, sizeof trafficClass);
    else setsockopt(fd, IPPROTO_IP, IP_TOS, &trafficClass, sizeof trafficClass);
    struct sockaddr_storage name;
    socklen_t length = pl_to_sockaddr(local, &name);
    int failed = family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) : 0;
    if (failed || bind(fd, (struct sockaddr *)&name, length) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int pl_timer_create(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void pl_timer_set(int fd, int64_t monotonic) {
    struct itimerspec when;
    memset(&when, 0, sizeof when);
    if (monotonic > 0) {
        when.it_value.tv_sec = monotonic / 1000000000;
        when.it_value.tv_nsec = monotonic % 1000000000;
    }
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);
}

uint64_t pl_descriptor_limit(uint64_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
    if (limit.rlim_cur < wanted) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return before;
    }
    return limit.rlim_cur;
}

int64_t pl_thread_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void pl_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
