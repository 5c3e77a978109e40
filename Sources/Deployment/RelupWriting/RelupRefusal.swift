/// Why deployex writes no relup between two releases: it would do harm, or not do all.
package enum RelupRefusal: Error, Equatable, Sendable {
    /// The node keeps the folder of a version that it has, and would boot the old code again.
    case changedUnderSameVersion(application: String, version: String, module: String)
    case withoutAttributes(module: String)
    case kindChanged(module: String, from: ModuleCode.Kind, to: ModuleCode.Kind)
    case nativeModule(String)
    case nativeLibrary(application: String, path: String)
    case runsWhenLoaded(module: String)
    /// A supervisor's module does more than name its children, and would do it again.
    case supervisorWithEffects(module: String, call: String)
    case anonymousSupervisor(module: String)
    case stateMachine(module: String)
    case changedStart(application: String)
    case changedStartType(application: String)
    case changedInclusion(application: String)
    case moduleOfTwoApplications(module: String, String, String)
    case changedCompiler(running: String, staged: String)
    case badName(String)
    case tooManyModules(count: Int)
    /// An appup leaves out modules whose processes would have to be stopped meanwhile.
    case omittedProcesses(modules: [String])
}

extension RelupRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .changedUnderSameVersion(let application, let version, let module):
            "\(module) has changed, and \(application) still has the version \(version): the node "
                + "would boot the code that it has"
        case .withoutAttributes(let module):
            "\(module) was stripped of its attributes, without which no release handler loads it"
        case .kindChanged(let module, let old, let new):
            "\(module) was \(old.text) and is \(new.text)"
        case .nativeModule(let module):
            "\(module) has changed, and its native code cannot be exchanged in a running node"
        case .nativeLibrary(let application, let path):
            "\(path) of \(application) has changed, and native code cannot be exchanged in a "
                + "running node"
        case .runsWhenLoaded(let module):
            "\(module) has changed, and has a function that runs when it is loaded"
        case .supervisorWithEffects(let module, let call):
            "the supervisor \(module) has changed, and calls \(call), which must not happen again"
        case .anonymousSupervisor(let module):
            "\(module) has changed, and starts a supervisor from a list of children, which only "
                + "another start of it would change"
        case .stateMachine(let module):
            "the state machine \(module) has changed and exports no code_change/4, so that its "
                + "processes would keep the callback mode of before"
        case .changedStart(let application):
            "what starts \(application) has changed: its tree of supervisors may be another, and "
                + "only a start makes it"
        case .changedStartType(let application):
            "the release starts \(application) in another way, which only a start does"
        case .changedInclusion(let application):
            "\(application) includes other applications than before"
        case .moduleOfTwoApplications(let module, let first, let second):
            "\(module) is in both \(first) and \(second)"
        case .changedCompiler(let running, let staged):
            "compiler changes from \(running) to \(staged)"
        case .badName(let name): "\(shortened(name, to: 300)) is no name of a module or application"
        case .tooManyModules(let count): "\(count) modules have changed"
        case .omittedProcesses(let modules):
            "the appup leaves out \(listed(modules)), whose processes have a state"
        }
    }
}

extension ModuleCode.Kind {
    var text: String {
        switch self {
        case .supervisor: "a supervisor"
        case .special: "a process with release handling of its own"
        case .server: "a server with a state"
        case .hosted(.liveView): "a LiveView"
        case .hosted(.channel): "a channel"
        case .plain: "a module without processes of its own"
        }
    }
}
