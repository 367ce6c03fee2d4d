#define _GNU_SOURCE
#include "PacketIO.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// packet(7) options that older headers lack.
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define FRAME_SIZE (65536 + 64)

struct pl_frames {
    unsigned slots;
    unsigned queued;
    uint8_t *payload;
    struct mmsghdr *messages;
    struct iovec *vectors;
    struct virtio_net_hdr *headers;
};

int pl_interface_find(const char *name, pl_interface *found) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    if (strlen(name) >= sizeof request.ifr_name) return -ENODEV;
    strcpy(request.ifr_name, name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int result = 0;
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0) {
        result = -errno;
    } else {
        found->index = (unsigned)request.ifr_ifindex;
        if (ioctl(fd, SIOCGIFMTU, &request) < 0) result = -errno;
        else found->mtu = (unsigned)request.ifr_mtu;
        if (!result && ioctl(fd, SIOCGIFFLAGS, &request) < 0) result = -errno;
        else if (!result) found->isUp = request.ifr_flags & IFF_UP;
        if (!result && ioctl(fd, SIOCGIFHWADDR, &request) < 0) result = -errno;
        else if (!result) found->isEthernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
    }
    close(fd);
    return result;
}

int pl_packet_open(unsigned interface, int receiveBuffer) {
    // Bound before it hears anything: with a protocol from the start it would hear all interfaces for a moment.
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int on = 1;
    struct packet_mreq every = {.mr_ifindex = (int)interface, .mr_type = PACKET_MR_PROMISC};
    struct sockaddr_ll place = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)interface};
    if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0
        || setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &every, sizeof every) < 0 || bind(fd, (struct sockaddr *)&place, sizeof place) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receiveBuffer, sizeof receiveBuffer) < 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, sizeof receiveBuffer);
    }
    return fd;
}

pl_frames *pl_frames_create(unsigned slots) {
    pl_frames *frames = calloc(1, sizeof *frames);
    if (!frames) return NULL;
    frames->slots = slots;
    frames->payload = malloc((size_t)slots * FRAME_SIZE);
    frames->messages = calloc(slots, sizeof *frames->messages);
    frames->vectors = calloc(2 * (size_t)slots, sizeof *frames->vectors);
    frames->headers = calloc(slots, sizeof *frames->headers);
    if (!frames->payload || !frames->messages || !frames->vectors || !frames->headers) {
        pl_frames_destroy(frames);
        return NULL;
    }
    for (unsigned slot = 0; slot < slots; slot++) {
        struct iovec *vectors = frames->vectors + 2 * slot;
        vectors[0] = (struct iovec){&frames->headers[slot], sizeof *frames->headers};
        vectors[1] = (struct iovec){frames->payload + (size_t)slot * FRAME_SIZE, FRAME_SIZE};
        frames->messages[slot].msg_hdr.msg_iov = vectors;
        frames->messages[slot].msg_hdr.msg_iovlen = 2;
    }
    return frames;
}

void pl_frames_destroy(pl_frames *frames) {
    if (!frames) return;
    free(frames->payload);
    free(frames->messages);
    free(frames->vectors);
    free(frames->headers);
    free(frames);
}

int pl_frames_receive(pl_frames *frames, int fd) {
    for (unsigned slot = 0; slot < frames->slots; slot++) frames->vectors[2 * slot + 1].iov_len = FRAME_SIZE;
    int count = recvmmsg(fd, frames->messages, frames->slots, MSG_DONTWAIT, NULL);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    return count;
}

/// The Internet checksum (RFC 1071) of what is there, the field's own content included: the kernel has put the pseudo-header's sum there.
static void complete(uint8_t *bytes, size_t length, size_t start, size_t offset) {
    if (start + offset + 2 > length) return;
    uint64_t sum = 0;
    size_t at = start;
    for (; at + 1 < length; at += 2) sum += (uint64_t)bytes[at] << 8 | bytes[at + 1];
    if (at < length) sum += (uint64_t)bytes[at] << 8;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    uint16_t value = (uint16_t)~sum;
    if (value == 0) value = 0xffff;
    bytes[start + offset] = (uint8_t)(value >> 8);
    bytes[start + offset + 1] = (uint8_t)value;
}

const uint8_t *pl_frames_get(pl_frames *frames, unsigned slot, size_t *length, unsigned *segment) {
    uint8_t *bytes = frames->payload + (size_t)slot * FRAME_SIZE;
    const struct virtio_net_hdr *header = &frames->headers[slot];
    size_t received = frames->messages[slot].msg_len;
    *length = received > sizeof *header && received <= sizeof *header + FRAME_SIZE && !(frames->messages[slot].msg_hdr.msg_flags & MSG_TRUNC)
        ? received - sizeof *header : 0;
    *segment = header->gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : header->gso_size;
    if (!*segment && header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) complete(bytes, *length, header->csum_start, header->csum_offset);
    return bytes;
}

bool pl_frames_put(pl_frames *frames, const uint8_t *frame, size_t length) {
    if (frames->queued >= frames->slots || length > FRAME_SIZE) return false;
    unsigned slot = frames->queued++;
    memset(&frames->headers[slot], 0, sizeof *frames->headers);
    memcpy(frames->payload + (size_t)slot * FRAME_SIZE, frame, length);
    frames->vectors[2 * slot + 1].iov_len = length;
    return true;
}

unsigned pl_frames_send(pl_frames *frames, int fd) {
    unsigned sent = 0, at = 0;
    while (at < frames->queued) {
        int count = sendmmsg(fd, frames->messages + at, frames->queued - at, MSG_DONTWAIT);
        if (count > 0) {
            at += (unsigned)count;
            sent += (unsigned)count;
        } else if (errno != EINTR) {
            at++;
        }
    }
    frames->queued = 0;
    return sent;
}
