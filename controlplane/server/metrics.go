package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are the process's figures. None is by agent, customer or person.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	enrolled *prometheus.CounterVec
}

func newMetrics(connected func() int) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "ostler_http_request_seconds",
			Help:    "Time to answer, by listener, route pattern, method and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .08, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}},
			[]string{"listener", "route", "method", "status"}),
		enrolled: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ostler_enrolments_total",
			Help: "Redeemed enrolment tokens, by outcome."}, []string{"outcome"}),
	}
	m.registry.MustRegister(m.requests, m.enrolled, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ostler_agents_connected", Help: "Agents connected to this replica."},
			func() float64 { return float64(connected()) }))
	return m
}

func (m *metrics) observe(listener, route, method string, status int, took time.Duration) {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
	default:
		method = "other" // clients must not make labels
	}
	m.requests.WithLabelValues(listener, route, method, strconv.Itoa(status)).Observe(took.Seconds())
}
