package limits

import (
	"net/url"
	"time"
)

// Of returns the limits of the CA with that directory: Let's Encrypt's, those
// of its staging, or none where the CA is not known.
func Of(directory string) Rules {
	u, err := url.Parse(directory)
	if err != nil {
		return None()
	}
	switch u.Hostname() {
	case "acme-v02.api.letsencrypt.org":
		return LetsEncrypt()
	case "acme-staging-v02.api.letsencrypt.org":
		return staging()
	}
	return None()
}

// staging returns the limits of Let's Encrypt's staging environment
// (letsencrypt.org/docs/staging-environment).
func staging() Rules {
	return Rules{SameSet: true, rules: map[Limit]Rule{
		NewOrders:   {1500, 3 * time.Hour},
		PerSet:      {30000, 7 * day},
		FailedNames: {200, time.Hour},
	}}
}
