internal import AWS
internal import HTTP

/// Where an application's releases are published.
struct StorageOptions: Equatable {
    enum Place: Equatable {
        /// The folder that holds `dist/` and `versions/`.
        case folder(String)
        case bucket(S3Bucket)
    }

    var place: Place
    /// The environment whose `current.json` counts; `local` when no cloud environment is set.
    var environment: String

    /// - Parameter cloud: the cloud environment; `nil` when everything is local.
    /// - Throws: ``UsageError`` that names the setting, its value and what it takes.
    init(_ settings: Settings, cloud: String?, application: String) throws(UsageError) {
        environment = try settings.value(.storageEnvironment)?.pathComponent() ?? cloud ?? "local"
        let adapter = settings.value(.storageAdapter)
        switch try adapter?.text() ?? (cloud == nil ? "local" : "s3") {
        case "local":
            place = .folder(try Self.folder(settings, cloud: cloud, application))
        case "s3":
            place = .bucket(try Self.bucket(settings, application, environment))
        default:
            throw adapter?.failure("local or s3")
                ?? UsageError("no storage adapter is configured", "start")
        }
    }

    private static func folder(
        _ settings: Settings, cloud: String?, _ application: String
    ) throws(UsageError) -> String {
        if let value = settings.value(.storageBucket) {
            throw UsageError(
                "\(value.name) is for s3: set \(settings.name(of: .storageAdapter)) to s3, or leave "
                    + "it out", "start")
        }
        if let path = try settings.value(.storagePath)?.path() { return path }
        guard cloud == nil else {
            throw UsageError(
                "\(settings.name(of: .storagePath)) is not set: name the folder with dist/ and "
                    + "versions/", "start")
        }
        return "/tmp/\(application)"
    }

    private static func bucket(
        _ settings: Settings, _ application: String, _ environment: String
    ) throws(UsageError) -> S3Bucket {
        if let value = settings.value(.storagePath) {
            throw UsageError(
                "\(value.name) is for a folder: set \(settings.name(of: .storageAdapter)) to local, or "
                    + "leave it out and use S3", "start")
        }
        let named = settings.value(.storageBucket)
        let name = try named?.text() ?? S3Bucket.name(of: application, environment)
        guard S3Bucket.isName(name) else {
            let rule = "3 to 63 of a-z, 0-9, . and -, as buckets are named"
            throw named?.failure(rule)
                ?? UsageError(
                    "the bucket would be \(name), which none can be called (\(rule)): name it in "
                        + settings.name(of: .storageBucket), "start")
        }
        let address = settings.value(.storageEndpoint)
        var endpoint: HTTPURL?
        if let address {
            let text = try address.text()
            do throws(HTTPURLError) {
                endpoint = try HTTPURL(text)
            } catch {
                throw address.failure("an address such as https://s3.example.com (\(error))")
            }
        }
        guard let value = settings.value(.storageRegion) else {
            // Servers other than AWS's seldom have regions, and every signature names one.
            guard endpoint != nil else {
                throw UsageError(
                    "\(settings.name(of: .storageRegion)) is not set: name the region of the bucket "
                        + "\(name), such as eu-central-1", "start")
            }
            return S3Bucket(name: name, region: "us-east-1", endpoint: endpoint)
        }
        return S3Bucket(name: name, region: try value.region(), endpoint: endpoint)
    }
}

extension SettingValue {
    /// A region of AWS, which becomes part of hosts' names.
    func region() throws(UsageError) -> String {
        let region = try text()
        guard region.isMadeOfLettersDigits(and: "-"), 1...32 ~= region.count else {
            throw failure("a region such as eu-central-1")
        }
        return region
    }
}
