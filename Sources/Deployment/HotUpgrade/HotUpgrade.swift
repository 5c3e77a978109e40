internal import ExternalTermFormat

/// Upgrades a running release in place through its `release_handler`: the operating system's
/// process, its Erlang processes and their state stay.
///
/// ``UpgradeDecision`` says whether a staged package can be upgraded to in this way,
/// ``HotUpgradeMachine`` in which order it is done, ``HotUpgradeFiles`` and
/// ``ResolvedConfiguration`` do the part outside the node, and
/// ``HotUpgrade/run(_:on:files:evaluation:log:)`` puts them together.
///
/// Source: "Release Handling", OTP Design Principles; `release_handler` and `systools`, SASL.
package enum HotUpgrade {
    /// Which release becomes which.
    package struct Plan: Equatable, Sendable {
        /// The release's name, as in `bin/NAME`, `releases/VERSION/NAME.rel` and the package's
        /// name.
        package var name: String
        /// The version that runs.
        package var from: String
        /// The version that shall run.
        package var to: String
        package var timings = Timings()
    }

    /// How long each part may take.
    package struct Timings: Equatable, Sendable {
        /// Running the new release's configuration providers.
        package var evaluation: Duration = .seconds(60)
        /// Unpacking on the node and writing the relup.
        package var preparation: Duration = .seconds(120)
        /// The installation itself, every `code_change` included.
        package var installation: Duration = .seconds(120)
        /// Any other question to the node.
        package var question: Duration = .seconds(15)
        /// Between two questions to a node that does not answer at the moment.
        package var pause: Duration = .seconds(1)
        /// How many such questions are asked before the node's state counts as unknown.
        package var attempts = 20

        package init() {}
    }

    /// How it ended.
    package enum Outcome: Equatable, Sendable {
        /// The node runs the new version, and boots it from now on.
        case succeeded
        /// The node does not run the new version, or would not boot it.
        ///
        /// An untouched node runs the old version as before, with its state. Otherwise an
        /// installation was attempted: the node may have restarted in the same operating system
        /// process, or run any of the two versions. In both cases a full deployment of the same
        /// package is what helps.
        case failed(reason: String, nodeIsUntouched: Bool)
        /// The installation failed past its point of no return: the node restarts itself on the old
        /// version. It may take long over that, and does not listen to SIGTERM meanwhile.
        case restarting(reason: String)
        /// The new release ends in an error over its own configuration, and the running one does
        /// not: it would not boot. The node is untouched.
        case cannotBoot(reason: String)
        /// Neither can read its configuration: the cause lies outside of the new release. The node
        /// is untouched.
        case hindered(reason: String)
    }

    /// What is done to files between the calls. Each is safe to repeat.
    package enum FileStep: Equatable, Sendable {
        /// Run the staged release's configuration providers and keep what they give in memory.
        case evaluateConfiguration
        /// Remove what an earlier attempt left of the new version, then copy the package to
        /// `releases/TO/NAME.tar.gz`, where `release_handler:unpack_release/1` looks for it.
        case placePackage
        /// See to it that `releases/NAME-FROM.rel` and `releases/NAME-TO.rel` exist for `systools`.
        case copyReleaseResources
        /// Fail if the relup that `systools` wrote restarts the emulator.
        case inspectRelup
        /// Keep the pristine `releases/TO/sys.config`, and put the resolved one in its place.
        case writeConfiguration
        /// Put the pristine `releases/TO/sys.config` back.
        case restoreConfiguration
        /// Remove the new version's files, as far as no other release needs them.
        case removeRelease
    }
}
