/// What this build is.
package enum Chaffinch {
    package static let version = "0.1.0"
}
