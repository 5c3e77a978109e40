/// Returns `value`. If computing it throws, this throws what `convert` makes of that error.
package func converting<Value: ~Copyable, Failure: Error, Converted: Error>(
    _ convert: (Failure) -> Converted, _ value: @autoclosure () throws(Failure) -> Value
) throws(Converted) -> Value {
    do throws(Failure) { return try value() } catch { throw convert(error) }
}
