package incidents

import "errors"

var errUnbuilt = errors.New("incidents: not built yet")
