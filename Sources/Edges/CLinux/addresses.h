// Between the kernel's addresses and ours.
#ifndef PINHOLE_ADDRESSES_H
#define PINHOLE_ADDRESSES_H

#include "CLinux.h"

#include <sys/socket.h>

pl_address pl_from_sockaddr(const struct sockaddr_storage *name);
socklen_t pl_to_sockaddr(const pl_address *address, struct sockaddr_storage *name);

#endif
