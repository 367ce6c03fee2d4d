/// A place of the network as one source shows it.
struct SeenPlace: Hashable, Sendable {
    var file: UInt16
    var place: PackedEndpoint
}
