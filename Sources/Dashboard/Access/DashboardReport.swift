/// What the dashboard has to say in deployex's log, beside answering.
package enum DashboardReport: Equatable, Sendable {
    case info(String)
    case warning(String)
}
