// What the C parsers' programs share: PROGRAM FILE COUNT prints nanoseconds a message, as `pinhole-bench parse` does.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/// Parses and reads everything a registrar needs; the sum of what was read, 0 for failure.
static size_t everything(const char *bytes, size_t length);

static size_t text(const char *value) { return value ? strlen(value) : 0; }

static int64_t cpu(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int measure(int argc, char **argv) {
    static char bytes[65536];
    if (argc != 3) return 2;
    FILE *file = fopen(argv[1], "rb");
    if (!file) return 2;
    size_t length = fread(bytes, 1, sizeof bytes - 1, file);
    long count = atol(argv[2]);
    size_t sum = everything(bytes, length);
    if (!sum) {
        fprintf(stderr, "%s does not parse\n", argv[1]);
        return 1;
    }
    int64_t start = cpu();
    for (long i = 0; i < count; i++) sum += everything(bytes, length);
    int64_t end = cpu();
    fprintf(stderr, "sum %zu\n", sum);
    printf("%f\n", (double)(end - start) / (double)count);
    return 0;
}
