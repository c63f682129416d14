package host

import "time"

// ReconnectWait is the wait after so many connections that failed.
func ReconnectWait(tries int) time.Duration { return backoff(tries, time.Second, maxBackoff) }

// Fair is the listener of the responder.
var Fair = fair

// ParseDpkg lists the packages of dpkg's status file.
var ParseDpkg = parseDpkg
