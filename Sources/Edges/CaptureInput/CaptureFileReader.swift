import Capture
import Synchronization

/// Reads a capture file on a thread of its own and hands over what it holds, batch by batch, in order.
public struct CaptureFileReader: ~Copyable {
    /// A batch on its way between the threads, and what was read of it.
    private final class Box<Reading> {
        var batch: PayloadBatch
        var reading: Reading
        var done: UInt64 = 0

        init(capacity: Int, _ reading: Reading) {
            batch = PayloadBatch(capacity: capacity)
            self.reading = reading
        }
    }

    /// What the reading thread leaves when it is done.
    private final class Outcome: Sendable {
        let notes = Mutex(CaptureNotes())
        let failure = Mutex<InputError?>(nil)
    }

    private let boxes: Int
    private let capacity: Int

    /// `capacity`: octets read at once; `boxes`: batches under way.
    public init(capacity: Int = 1 << 20, boxes: Int = 4) {
        self.capacity = capacity
        self.boxes = max(2, boxes)
    }

    /// Calls `prepare` with every batch on the reading thread, for what can be read of it without what came before, and then `body` on this
    /// one; `done` is how far the file has been read. `reading`: what `prepare` fills anew each time. `tls`: what TLS is read with; nil: it
    /// is not. Returns what the capture could not show.
    public func read<Reading: Sendable>(
        _ source: ByteSource, file: Int, limits: CaptureDecoder.Limits = .init(), tls: TLSReading? = nil, reading: Reading,
        _ prepare: @escaping @Sendable (_ batch: borrowing PayloadBatch, _ reading: inout Reading) -> Void,
        _ body: (_ batch: borrowing PayloadBatch, _ reading: Reading, _ done: UInt64) -> Void
    ) throws(InputError) -> CaptureNotes {
        let handover = Handover((0..<boxes).map { _ in Box(capacity: capacity, reading) })
        let outcome = Outcome()
        let carrier = Carrier(source)
        let thread = WorkerThread {
            let source = carrier.take()
            var decoder = CaptureDecoder(file: file, limits: limits, tls: tls)
            do throws(InputError) {
                var isEnding = false
                while !isEnding, let box = handover.takeFree() {
                    decoder.begin(&box.batch)
                    let count = try box.batch.withSpace { space throws(InputError) in try source.read(into: space) }
                    if count > 0 {
                        decoder.decode(&box.batch, adding: count)
                    } else {
                        decoder.finish(&box.batch)
                        isEnding = true
                    }
                    prepare(box.batch, &box.reading)
                    box.done = source.done
                    handover.give(box)
                }
            } catch {
                outcome.failure.withLock { $0 = error }
            }
            if let shortfall = source.shortfall { decoder.noteShortfall(isBomb: shortfall != .damaged) }
            outcome.notes.withLock { $0 = decoder.notes }
            handover.end()
        }
        while let box = handover.takeFull() {
            body(box.batch, box.reading, box.done)
            handover.giveBack(box)
        }
        thread.join()
        if let failure = outcome.failure.withLock({ $0 }) { throw failure }
        return outcome.notes.withLock { $0 }
    }
}

/// Carries a source that is no Sendable into another thread's closure: put in once, taken out once.
private final class Carrier: @unchecked Sendable {
    // Invariant: filled before the thread begins, taken by it alone.
    private var source: ByteSource?

    init(_ source: ByteSource) { self.source = source }

    func take() -> ByteSource { source.take()! }
}
