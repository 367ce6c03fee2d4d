// MD5, SHA-1, SHA-256, SHA-512/256 (RFC 1321, FIPS 180-4) and HMAC with them (RFC 2104) by the system's libcrypto, which is loaded when the
// first is asked for: neither its headers nor a link to it are needed to build.
#ifndef PINHOLE_CHASHES_H
#define PINHOLE_CHASHES_H

#include <stddef.h>
#include <stdint.h>

typedef enum { ch_md5, ch_sha1, ch_sha256, ch_sha512_256 } ch_function;

/// NULL where all functions can be had; otherwise one line that says what is missing and what to install.
const char *ch_problem(void);
/// The same of a library of another name, which is not used.
const char *ch_problem_with(const char *library);

// Any thread may call these at any time. Each writes 16 (MD5), 20 (SHA-1) or 32 octets, and ends the program with `ch_problem`'s words on
// standard error where there is a problem.

void ch_hash(ch_function function, const void *bytes, size_t count, uint8_t *value);
void ch_hmac(ch_function function, const void *key, size_t key_count, const void *bytes, size_t count, uint8_t *code);

#endif
