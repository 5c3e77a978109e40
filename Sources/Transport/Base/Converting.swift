/// What `value` is. Where it throws, the error is the one that `convert` makes of it.
package func converting<Value: ~Copyable, Failure: Error, Converted: Error>(
    _ convert: (Failure) -> Converted, _ value: @autoclosure () throws(Failure) -> Value
) throws(Converted) -> Value {
    do throws(Failure) { return try value() } catch { throw convert(error) }
}
