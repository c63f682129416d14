// Command preview serves every page in every state, with made-up data, on
// loopback: go run ./web/preview
package main

import (
	"bytes"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"ostler/web"
	"ostler/web/sample"
)

func main() {
	addr := "127.0.0.1:8480"
	if len(os.Args) > 1 {
		addr = os.Args[1]
	}
	h, err := handler()
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	log.Fatal(http.Serve(l, h)) //nolint:gosec // a developer's preview on loopback
}

func handler() (http.Handler, error) {
	r, err := web.NewRenderer("en")
	if err != nil {
		return nil, err
	}
	samples := sample.All(r.Text())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/", func(w http.ResponseWriter, req *http.Request) {
		a, ok := r.Asset(strings.TrimPrefix(req.URL.Path, "/static/"))
		if !ok {
			http.NotFound(w, req)
			return
		}
		w.Header().Set("Content-Type", a.ContentType)
		_, _ = w.Write(a.Body)
	})
	mux.HandleFunc("GET /sample.cast", func(w http.ResponseWriter, req *http.Request) {
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(sample.Cast()))
	})
	mux.HandleFunc("POST /sample.watched", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	mux.HandleFunc("GET /p/{name}", func(w http.ResponseWriter, req *http.Request) {
		for _, s := range samples {
			if s.Name == req.PathValue("name") {
				w.Header().Set("Content-Security-Policy", web.PolicyOf(s.View))
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				if err := r.Render(w, s.View); err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
				}
				return
			}
		}
		http.NotFound(w, req)
	})
	list := template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>Pages</title><ul>{{range .}}<li><a href="/p/{{.Name}}">{{.Name}}</a></li>{{end}}</ul></html>`))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _ = list.Execute(w, samples) })
	return mux, nil
}
