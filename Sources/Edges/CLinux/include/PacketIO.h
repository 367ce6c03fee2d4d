// Packet sockets (packet(7)): whole Ethernet frames of one interface, in batches, with what the kernel left undone of their checksums and segments.
#ifndef PINHOLE_PACKETIO_H
#define PINHOLE_PACKETIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What the kernel says about an interface.
typedef struct {
    unsigned index;
    unsigned mtu;
    bool isUp;
    bool isEthernet;
} pl_interface;

/// 0 or -errno (ENODEV: there is none of that name).
int pl_interface_find(const char *name, pl_interface *found);

/// A non-blocking packet socket on an interface: every frame that comes in, none that goes out; frames for every address, as long as the socket is
/// open. Returns the descriptor or -errno.
int pl_packet_open(unsigned interface, int receiveBuffer);

/// Slots for frames, each up to 64 KiB long.
typedef struct pl_frames pl_frames;

pl_frames *pl_frames_create(unsigned slots);
void pl_frames_destroy(pl_frames *frames);
/// Receives up to all slots. Returns how many, 0 when none waits, or -errno (ENETDOWN: the interface went down, or is gone).
int pl_frames_receive(pl_frames *frames, int fd);
/// The frame in a slot, its checksum completed where that was left to the hardware. `length`: 0 where it did not fit. `segment`: how many octets
/// of payload each packet is to have that it must be cut into; 0: it is one.
const uint8_t *pl_frames_get(pl_frames *frames, unsigned slot, size_t *length, unsigned *segment);
/// Queues a frame to be sent. False: it is too long, or all slots are queued.
bool pl_frames_put(pl_frames *frames, const uint8_t *frame, size_t length);
/// Sends what is queued, and forgets it. Returns how many left.
unsigned pl_frames_send(pl_frames *frames, int fd);

#endif
