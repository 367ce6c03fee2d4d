import Base
import MediaControl

/// Stands in for a media plane: it carries nothing, and says what a trial has it say.
struct ScriptedMedia: Sendable {
    /// Legs that signalling has opened and not closed, oldest first.
    private(set) var open: [MediaLegID] = []
    /// Legs whose verdict is held back.
    private(set) var closing: [MediaLegID] = []
    private(set) var holdsVerdicts = false
    private var events = Outbox<MediaEvent>()

    mutating func obey(_ command: MediaCommand) {
        switch command {
        case .open(let id, _): open.append(id)
        case .close(let id):
            // One that closed by itself has said so.
            guard let place = open.firstIndex(of: id) else { return }
            open.remove(at: place)
            if holdsVerdicts { closing.append(id) } else { events.append(.closed(id, MediaVerdict())) }
        case .remote, .follow, .bridge, .serve, .room, .digit: break
        }
    }

    mutating func hold(_ isHeld: Bool) {
        holdsVerdicts = isHeld
        guard !isHeld else { return }
        for id in closing { events.append(.closed(id, MediaVerdict())) }
        closing = []
    }

    mutating func say(_ event: MediaEvent) {
        if case .closed(let id, _) = event {
            guard let place = open.firstIndex(of: id) else { return }
            open.remove(at: place)
        }
        events.append(event)
    }

    mutating func nextEvent() -> MediaEvent? { events.next() }
}
