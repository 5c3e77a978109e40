internal import ExternalTermFormat

/// Upgrades a running release in place through its `release_handler`: the operating system's
/// process, its Erlang processes and their state stay.
///
/// ``UpgradeDecision`` says whether a staged package allows this. Then an upgrade has three parts:
///
/// | part | what it does | if it fails |
/// |---|---|---|
/// | ``HotUpgrade/prepare(_:files:evaluation:loop:)`` | asks the staged release for its configuration and the relup, reads the code of both releases | nothing has been touched |
/// | ``Preflight`` | asks the node whether it runs what its files say, and whether the upgrade can go through | nothing has been touched |
/// | ``HotUpgradeMachine`` | puts the files beside the running ones, registers, checks, installs, makes permanent | the files are removed again; from the installation on the node says what it runs |
///
/// ``HotUpgrade/run(_:on:files:evaluation:prepared:isResumed:loop:log:)`` puts them together.
///
/// Source: "Release Handling", OTP Design Principles; `release_handler` and `systools`, SASL.
package enum HotUpgrade {
    /// The release's name, and the two versions.
    package struct Plan: Equatable, Sendable {
        /// The release's name, as in `bin/NAME`, `releases/VERSION/NAME.rel` and the package's
        /// name.
        package var name: String
        /// The version that runs.
        package var from: String
        /// The version that shall run.
        package var to: String
        package var timings = Timings()
        package var mode = Mode.appup
    }

    /// How long each part may take.
    package struct Timings: Equatable, Sendable {
        /// Running the new release's configuration providers, and writing the relup.
        package var evaluation: Duration = .seconds(60)
        /// Registering the new release on the node, and checking it.
        package var preparation: Duration = .seconds(120)
        /// The installation itself, including every `code_change`.
        package var installation: Duration = .seconds(120)
        /// Any other question to the node.
        package var question: Duration = .seconds(15)
        /// The pause between two questions to a node that does not answer at the moment.
        package var pause: Duration = .seconds(1)
        /// How many such questions are asked before the node's state counts as unknown.
        package var attempts = 20

        package init() {}
    }

    /// How the upgrade ended.
    package enum Outcome: Equatable, Sendable {
        /// The node runs the new version, and from now on boots it.
        case succeeded
        /// The same, and what is named takes effect with the next start only, or is not known.
        case succeededInPart(leftBehind: Remains)
        /// The node does not run the new version, or would not boot it.
        ///
        /// An untouched node runs the old version as before, with its state. Otherwise an
        /// installation was attempted: the node may have restarted in the same operating system
        /// process, or run either version. In both cases a full deployment of the same package
        /// helps.
        case failed(reason: String, nodeIsUntouched: Bool)
        /// The installation failed past its point of no return: the node restarts itself on the old
        /// version. The restart may take long, and meanwhile the node ignores SIGTERM.
        case restarting(reason: String)
        /// The new release ends in an error over its own configuration, and the running one does
        /// not. So the new release would not boot. The node is untouched.
        case cannotBoot(reason: String)
        /// Neither release can read its configuration, so the cause is outside of the new one. The
        /// node is untouched.
        case hindered(reason: String)
    }

    /// The work on files between the calls. Each step is safe to repeat.
    package enum FileStep: Equatable, Sendable {
        /// Remove an earlier attempt's remains of the new version. Then put its files and its relup
        /// beside those of the running one.
        case placeRelease
        /// Keep the pristine `releases/TO/sys.config`, and put the resolved one in its place.
        case writeConfiguration
        /// Put the pristine `releases/TO/sys.config` back, and make the new version durable.
        case restoreConfiguration
        /// Remove the new version's files, except those that another release needs.
        case removeRelease
    }
}
