"""Tones in WAV files: who heard whom is measured, not believed."""

import array
import math
import os
import struct
import sys
import wave

RATE = 8000


def write_tone(path, frequency, seconds=30, level=8000):
    """A steady tone, 16 bits, 8 kHz, one channel."""
    samples = array.array("h", (int(level * math.sin(2 * math.pi * frequency * n / RATE)) for n in range(RATE * seconds)))
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return path


def read_samples(path):
    """Rate and samples of the first channel. The lengths in the header may be those of a file still being written: they are not believed."""
    with open(path, "rb") as file:
        data = file.read()
    channels, rate, bits, at = 1, RATE, 16, 12
    while at + 8 <= len(data):
        name, length = data[at:at + 4], struct.unpack("<I", data[at + 4:at + 8])[0]
        if name == b"fmt ":
            channels, rate = struct.unpack("<HI", data[at + 10:at + 16])
            bits = struct.unpack("<H", data[at + 22:at + 24])[0]
        if name == b"data":
            body = data[at + 8:]
            body = body[:len(body) // (2 * channels) * 2 * channels]
            if bits != 16:
                raise ValueError(f"{path}: {bits} bits a sample")
            samples = array.array("h", body)
            if sys.byteorder == "big":
                samples.byteswap()
            return rate, samples[::channels]
        at += 8 + length + (length & 1)
    return rate, array.array("h")


def power(samples, rate, frequency):
    """Of one frequency (Goertzel), on the scale of the mean square: a pure tone gives its own mean square."""
    coefficient = 2 * math.cos(2 * math.pi * frequency / rate)
    first = second = 0.0
    for sample in samples:
        first, second = sample + coefficient * first - second, first
    return 2 * (first * first + second * second - coefficient * first * second) / (len(samples) ** 2)


def heard(path, frequency, least=0.1):
    """Seconds (in steps of 0.25) in which the tone holds at least `least` of the energy and is not faint."""
    if not os.path.exists(path):
        return 0.0
    rate, samples = read_samples(path)
    step, found = rate // 4, 0.0
    for start in range(0, len(samples) - step + 1, step):
        block = samples[start:start + step]
        mean = sum(sample * sample for sample in block) / step
        if mean > 10_000 and power(block, rate, frequency) >= least * mean:
            found += 0.25
    return found
