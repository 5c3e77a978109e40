/// What is said to chromedriver, and what it answers.

struct Wrapped<Value: Decodable>: Decodable {
    var value: Value
}

/// An answer without content, or whose content does not matter.
struct Nothing: Decodable {
    init(from decoder: any Decoder) {}
}

struct Outcome<Value: Decodable>: Decodable {
    var value: Value?
    var error: String?
}

struct Session: Decodable {
    var sessionId: String
}

struct Window: Decodable {
    var handle: String
}

struct Element: Decodable {
    var id: String

    private enum CodingKeys: String, CodingKey {
        // WebDriver, section 12.1: the web element identifier.
        case id = "element-6066-11e4-a52e-4f735466cecf"
    }
}

struct LogEntry: Decodable {
    var level: String
    var message: String
}

struct Picture: Decodable {
    var data: String
}

struct AccessibilityTree: Decodable {
    struct Node: Decodable {
        var ignored: Bool?
        var role: Text?
        var name: Text?
    }

    struct Text: Decodable {
        var value: String?

        private enum CodingKeys: String, CodingKey { case value }

        init(from decoder: any Decoder) throws {
            // Some values are numbers or truth values: they name nothing.
            value = try? decoder.container(keyedBy: CodingKeys.self)
                .decode(String.self, forKey: .value)
        }
    }

    var nodes: [Node]
}

struct Script: Encodable {
    var script: String
    var args: [String]
}

struct ChromiumCommand<Parameters: Encodable>: Encodable {
    var cmd: String
    var params: Parameters
}

struct Metrics: Encodable {
    var width: Int
    var height: Int
    var deviceScaleFactor = 1
    var mobile = false
}

struct Media: Encodable {
    struct Feature: Encodable {
        var name: String
        var value: String
    }

    var features: [Feature]
}

struct Clip: Encodable {
    var x: Int
    var y: Int
    var width: Int
    var height: Int
    var scale: Int
}

struct Capture: Encodable {
    var format: String
    var captureBeyondViewport: Bool
    var clip: Clip
}

struct Actions: Encodable {
    struct Event: Encodable {
        var type: String
        var value: String
    }

    struct Source: Encodable {
        var type: String
        var id: String
        var actions: [Event]
    }

    var actions: [Source]
}

struct Capabilities: Encodable {
    private struct Always: Encodable {
        var browserName = "chrome"
        var options: Options
        var loggingPreferences = ["browser": "ALL"]
        var timeouts = ["script": 120_000]

        enum CodingKeys: String, CodingKey {
            case browserName, timeouts
            case options = "goog:chromeOptions"
            case loggingPreferences = "goog:loggingPrefs"
        }
    }

    private struct Options: Encodable {
        var args: [String]
    }

    private struct Match: Encodable {
        var alwaysMatch: Always
    }

    private var capabilities: Match

    init(arguments: [String]) {
        capabilities = Match(alwaysMatch: Always(options: Options(args: arguments)))
    }
}
