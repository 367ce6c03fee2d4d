/* The floor of a conference room in G.711: decode, sum up, leave each speaker out, encode, and nothing else: no packets, no jitter
 * buffers, no losses, no codecs to choose from.
 *
 *     mixfloor PARTIES SPEAKERS TICKS
 *
 * Prints microseconds of CPU a tick of 20 ms, the median of five runs.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAME 160

static int16_t decoding[256];
static uint8_t encoding[16384];

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int16_t saturate(int32_t value) { return value > 32767 ? 32767 : value < -32768 ? -32768 : value; }

int main(int count, char **words)
{
    if (count != 4) return 2;
    int parties = atoi(words[1]), speakers = atoi(words[2]), ticks = atoi(words[3]);
    if (parties < 1 || speakers < 0 || speakers > parties || ticks < 1) return 2;
    for (int i = 0; i < 256; i++) {
        int inverted = ~i & 0xff, value = ((((inverted & 15) << 3) + 132) << (inverted >> 4 & 7)) - 132;
        decoding[i] = inverted & 0x80 ? -value : value;
    }
    for (int i = 0; i < 16384; i++) {
        int sample = (int16_t)(i << 2), sign = sample < 0 ? 0x80 : 0, segment = 0;
        int magnitude = (sample < 0 ? ~sample : sample) >> 2;
        magnitude = (magnitude > 8158 ? 8158 : magnitude) + 33;
        while (segment < 7 && magnitude >> (segment + 6)) segment++;
        encoding[i] = ~(sign | segment << 4 | (magnitude >> (segment + 1) & 15));
    }
    uint8_t *in = malloc((size_t)parties * FRAME), *out = malloc((size_t)parties * FRAME);
    int16_t *samples = malloc(sizeof(int16_t) * parties * FRAME);
    for (int i = 0; i < parties * FRAME; i++) in[i] = i * 2654435761u >> 24;
    double figures[5];
    for (int run = 0; run < 5; run++) {
        double start = now();
        for (int tick = 0; tick < ticks; tick++) {
            int32_t sum[FRAME] = {0};
            for (int p = 0; p < parties; p++) {
                int16_t *own = samples + p * FRAME;
                for (int i = 0; i < FRAME; i++) own[i] = decoding[in[p * FRAME + i]];
                if (p >= speakers) continue;
                for (int i = 0; i < FRAME; i++) sum[i] += own[i];
            }
            uint8_t shared[FRAME];
            for (int i = 0; i < FRAME; i++) shared[i] = encoding[(uint16_t)saturate(sum[i]) >> 2];
            for (int p = 0; p < parties; p++) {
                uint8_t *to = out + p * FRAME;
                int16_t *own = samples + p * FRAME;
                if (p < speakers)
                    for (int i = 0; i < FRAME; i++) to[i] = encoding[(uint16_t)saturate(sum[i] - own[i]) >> 2];
                else
                    memcpy(to, shared, FRAME);
            }
            in[tick % (parties * FRAME)] ^= out[tick % FRAME];
        }
        figures[run] = (now() - start) / ticks;
    }
    qsort(figures, 5, sizeof *figures, compare);
    printf("%.3f\n", figures[2]);
    return 0;
}
