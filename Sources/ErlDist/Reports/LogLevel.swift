/// How important a log line is, in the order of Erlang's `logger`.
public enum LogLevel: String, Sendable, Equatable {
    case debug, info, notice, warning, error
}
