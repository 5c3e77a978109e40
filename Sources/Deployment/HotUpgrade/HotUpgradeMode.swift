extension HotUpgrade {
    /// When an application is upgraded in place.
    package enum Mode: String, CaseIterable, Sendable {
        /// When the package has an appup that leads from the running version to the new one.
        case appup
        /// Whenever deployex finds a way: it writes the relup itself where no appup leads, and adds
        /// what an appup leaves out.
        case auto
        /// Never.
        case off
    }
}
