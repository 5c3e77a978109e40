import HTTP
import Testing
import Transport

@testable import AWS

@Suite struct ObjectHeadTests {
    private let md5 = "25f9e794323b453885f5181f1b624d0b"
    private let digits = Array("123456789".utf8)

    private func head(_ fields: [String: String], _ status: Int = 200) -> HTTPResponseHead {
        HTTPResponseHead(
            minorVersion: 1, status: status, fields: fields.map { HTTPField($0.key, $0.value) })
    }

    private func problem(_ fields: [String: String], sha256: String? = nil) -> String? {
        let checks = RunningChecks(ObjectHead(head(fields), sha256: sha256).checks)
        checks.update(Array(digits[..<4]))
        checks.update(Array(digits[4...]))
        return checks.problem()
    }

    /// Source: the check values of the catalogue of CRC algorithms.
    @Test func `the cyclic checks have their published values`() {
        for (kind, value) in [
            (CyclicCheck.Kind.crc32, "cbf43926"), (.crc32c, "e3069283"),
            (.crc64nvme, "ae8b14860a799888"),
        ] {
            var check = CyclicCheck(kind)
            check.update(digits)
            #expect(Digest.text(check.value) == value)
        }
    }

    @Test func `content is compared with every check that S3 sends of it`() {
        let right = [
            "x-amz-checksum-crc32": "y/Q5Jg==", "x-amz-checksum-crc32c": "4waSgw==",
            "x-amz-checksum-crc64nvme": "rosUhgp5mIg=",
            "x-amz-checksum-sha256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            "ETag": "\"\(md5)\"",
        ]
        for (name, value) in right {
            #expect(problem([name: value]) == nil)
            let wrong = value.replacing("5", with: "6").replacing("w", with: "x")
            #expect(problem([name: wrong]) != nil)
        }
        #expect(problem(["ETag": "\"\(String(repeating: "0", count: 32))\""]) != nil)
        #expect(problem([:], sha256: String(repeating: "0", count: 64)) != nil)
        #expect(
            problem(
                [:], sha256: "15E2B0D3C33891EBB0F1EF609EC419420C20E320CE94C65FBC8C3312448EB225")
                == nil)
    }

    @Test func `a tag that is no digest, and a check of checks, are not compared`() {
        let wrong = "\"\(String(repeating: "0", count: 32))\""
        #expect(problem(["ETag": wrong, "x-amz-server-side-encryption": "aws:kms"]) == nil)
        #expect(problem(["ETag": wrong, "x-amz-server-side-encryption": "AES256"]) != nil)
        #expect(
            problem(["ETag": wrong, "x-amz-server-side-encryption-customer-algorithm": "AES256"])
                == nil)
        #expect(problem(["ETag": wrong, "x-amz-storage-class": "EXPRESS_ONEZONE"]) == nil)
        #expect(problem(["ETag": "\"\(md5)-2\""]) == nil)
        #expect(problem(["ETag": "W/\"x\""]) == nil)
        #expect(problem(["ETag": "\""]) == nil)
        #expect(problem(["x-amz-checksum-crc32": "AAAAAA==-2"]) == nil)
    }

    @Test func `a range is read, or refused`() {
        func range(_ text: String) -> [Int64]? {
            ObjectHead.range(of: head(["Content-Range": text], 206)).map {
                [$0.begin, $0.byteCount]
            }
        }
        #expect(range("bytes 5-9/10") == [5, 10])
        for text in [
            "bytes */10", "bytes 5-9/*", "bytes 9-5/10", "bytes 5-10/10", "items 5-9/10",
            "bytes 5-9", "bytes -5-9/10", "bytes 99999999999999999999-9/10", "",
        ] {
            #expect(range(text) == nil)
        }
    }
}
