import CLinux

/// Lets this process open at least `wanted` descriptors, as far as the system permits. Returns how many it may open now.
@discardableResult
public func raiseDescriptorLimit(to wanted: Int) -> Int { Int(clamping: pl_descriptor_limit(UInt64(clamping: wanted))) }
