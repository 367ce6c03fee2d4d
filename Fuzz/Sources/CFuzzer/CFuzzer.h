// libFuzzer's driver, for programs that bring a main of their own.
#ifndef PINHOLE_CFUZZER_H
#define PINHOLE_CFUZZER_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*test)(const uint8_t *data, size_t size));

#endif
