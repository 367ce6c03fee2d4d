/// What the programs answer to `--version`.
public let programVersion = "0.1.0-unreleased"
