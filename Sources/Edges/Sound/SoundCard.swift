import CSound
import Codecs
import Foundation
import Synchronization

/// Why there is no sound.
public struct SoundError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
}

/// Loudspeaker and microphone through ALSA, each on a thread of its own; libasound is loaded when the first is opened.
///
/// Invariant for `@unchecked Sendable`: each device handle is touched by its own thread alone; everything shared is locked.
public final class SoundCard: @unchecked Sendable {
    /// Samples a second, at the card.
    public static let rate = 16_000
    private static let chunk = rate / 50
    /// Beyond this the oldest samples go, so that a slow card never lags behind the call for long.
    private static let longest = rate / 4

    private struct Waiting: Sendable {
        var samples: [Int16] = []
        var resampler: Resampler?
        var isOver = false
    }

    private let waiting = Mutex(Waiting())
    private let filled = DispatchSemaphore(value: 0)
    private let speaker: OpaquePointer
    private let microphone: OpaquePointer?
    private let isDone = Atomic(false)

    public static var isAvailable: Bool { cs_available() }

    /// - Parameters:
    ///   - name: of the device, as ALSA knows it: `default`, `plughw:1`.
    ///   - heard: gets what the microphone brings, 20 ms at a time at `rate` Hz, on a thread of the card; nil opens no microphone.
    public init(_ name: String = "default", heard: (@Sendable ([Int16]) -> Void)?) throws(SoundError) {
        speaker = try Self.open(name, records: false)
        if heard != nil {
            do throws(SoundError) {
                microphone = try Self.open(name, records: true)
            } catch {
                cs_close(speaker)
                throw error
            }
        } else {
            microphone = nil
        }
        Thread.detachNewThread { self.play() }
        if let heard { Thread.detachNewThread { self.record(heard) } }
    }

    private static func open(_ name: String, records: Bool) throws(SoundError) -> OpaquePointer {
        var reason = [CChar](repeating: 0, count: 200)
        guard let device = cs_open(name, records, UInt32(rate), 80, &reason, reason.count) else {
            let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw SoundError(description: "\(records ? "microphone" : "loudspeaker") '\(name)': \(text)")
        }
        return device
    }

    /// Plays samples of any rate; never blocks.
    public func play(_ samples: [Int16], rate: Int) {
        waiting.withLock { waiting in
            guard !waiting.isOver else { return }
            if rate == Self.rate {
                waiting.samples += samples
            } else {
                if waiting.resampler?.from != rate { waiting.resampler = Resampler(from: rate, to: Self.rate) }
                waiting.samples += waiting.resampler?.process(samples) ?? []
            }
            if waiting.samples.count > Self.longest { waiting.samples.removeFirst(waiting.samples.count - Self.longest) }
        }
        filled.signal()
    }

    /// Ends both threads; the devices are closed by them.
    public func stop() {
        isDone.store(true, ordering: .releasing)
        waiting.withLock { $0.isOver = true }
        filled.signal()
    }

    private func play() {
        while !isDone.load(ordering: .acquiring) {
            let samples = waiting.withLock { waiting -> [Int16] in
                let take = min(waiting.samples.count, Self.chunk)
                defer { waiting.samples.removeFirst(take) }
                return Array(waiting.samples[..<take])
            }
            guard !samples.isEmpty else {
                filled.wait()
                continue
            }
            var written = 0
            while written < samples.count {
                let result = samples.withUnsafeBufferPointer {
                    cs_write(speaker, $0.baseAddress! + written, samples.count - written)
                }
                guard result >= 0 else { break }
                written += max(1, result)
            }
        }
        cs_close(speaker)
    }

    private func record(_ heard: @Sendable ([Int16]) -> Void) {
        guard let microphone else { return }
        var due = ContinuousClock.now
        while !isDone.load(ordering: .acquiring) {
            var samples = [Int16](repeating: 0, count: Self.chunk)
            let result = samples.withUnsafeMutableBufferPointer { cs_read(microphone, $0.baseAddress!, $0.count) }
            guard result >= 0 else { break }
            if result > 0 { heard(Array(samples[..<result])) }
            // A device that does not keep time (ALSA's null) must not be read in a rush.
            due = max(due + .milliseconds(20), ContinuousClock.now - .milliseconds(100))
            let early = due - ContinuousClock.now
            if early > .milliseconds(100) { Thread.sleep(forTimeInterval: 0.02) }
        }
        cs_close(microphone)
    }
}
