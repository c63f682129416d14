package server

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"ostler/agents"
	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// ChunkSink takes the chunks of what hosts send up, and hands out those of what
// another server sent for them.
type ChunkSink interface {
	// Put stores one chunk, which it reads to the end and checks against its
	// hex SHA-256. The same chunk again is fine.
	Put(ctx context.Context, server, agent, job string, epoch int64, index int, sha256 string, body io.Reader) error
	// Have returns the chunks of a job that are stored, ascending.
	Have(ctx context.Context, server, agent, job string) ([]int, error)
	// SourceChunk returns one chunk of the source of a job that runs on the
	// host, with its hex SHA-256.
	SourceChunk(ctx context.Context, server, agent, job string, epoch int64, index int) (data []byte, sha256 string, err error)
}

// chunkTime is how long one chunk may take to arrive.
const chunkTime = 10 * time.Minute

func (s *Server) registerAgents() {
	agent := func(method, path, name string) policy.Route {
		return policy.Route{Method: method, Path: path, Audience: policy.Agents, Name: name}
	}
	s.route(s.enrol, policy.Route{Method: "POST", Path: wire.PathEnrol, Audience: policy.Public, Name: "agent.enrol"}, limitEnrol(s.enrolAgent))
	s.route(s.enrol, agent("POST", wire.PathRenew, "agent.renew"), s.renewAgent)
	s.agents.Add("POST", wire.PathRenew, s.renewAgent)
	s.route(s.agents, agent("GET", wire.PathStream, "agent.stream"), s.stream)
	s.route(s.agents, agent("PUT", wire.PathChunks+"/:job/:index", "agent.chunk.put"), s.putChunk)
	s.route(s.agents, agent("GET", wire.PathChunks+"/:job", "agent.chunk.list"), s.listChunks)
	s.route(s.agents, agent("GET", wire.PathChunks+"/:job/:index", "agent.chunk.get"), s.getChunk)
}

// bind reads a JSON body that may be at most 64 KiB.
func bind(c echo.Context, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(c.Response(), c.Request().Body, 64<<10))
	if err := dec.Decode(into); err != nil {
		return controlplane.Errorf(controlplane.CodeInvalid, "Upgrade the package ostler-agent on the server.",
			"The request cannot be read").Because(fmt.Errorf("server: decode: %w", err))
	}
	return nil
}

// How often one address may ask to enrol: a rack behind one address may enrol
// at once, and whoever only knocks costs us little.
const (
	enrolRate  = 2 // in a second, lasting
	enrolBurst = 60
)

// limitEnrol bounds the requests of an address that nobody has vouched for yet.
func limitEnrol(next echo.HandlerFunc) echo.HandlerFunc {
	buckets := middleware.NewRateLimiterMemoryStoreWithConfig(middleware.RateLimiterMemoryStoreConfig{Rate: enrolRate, Burst: enrolBurst, ExpiresIn: 5 * time.Minute})
	return func(c echo.Context) error {
		remote, err := netip.ParseAddr(c.RealIP())
		if err != nil {
			return fmt.Errorf("server: enrol: %w", err)
		}
		if ok, err := buckets.Allow(network(remote)); err != nil {
			return fmt.Errorf("server: enrol: %w", err)
		} else if !ok {
			return controlplane.Errorf(controlplane.CodeTooMany, "Wait a minute, then run the same command again.", "There were too many requests to enrol from this address")
		}
		return next(c)
	}
}

// network is what one user of an address has: the address, or the /64 around it.
func network(a netip.Addr) string {
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64) // an IPv6 address always has one
	return p.String()
}

func (s *Server) enrolAgent(c echo.Context) error {
	var req wire.EnrolRequest
	if err := bind(c, &req); err != nil {
		return err
	}
	remote, err := netip.ParseAddr(c.RealIP())
	if err != nil {
		return fmt.Errorf("server: enrol: %w", err)
	}
	res, err := s.Deps.Agents.Redeem(c.Request().Context(), remote, req)
	if err != nil {
		s.metrics.enrolled.WithLabelValues(string(controlplane.ErrorCode(err))).Inc()
		return err
	}
	s.metrics.enrolled.WithLabelValues("ok").Inc()
	return c.JSON(http.StatusOK, res)
}

func (s *Server) renewAgent(c echo.Context) error {
	cert, err := clientCert(c)
	if err != nil {
		return err
	}
	var req wire.RenewRequest
	if err := bind(c, &req); err != nil {
		return err
	}
	res, err := s.Deps.Agents.Renew(c.Request().Context(), cert, req)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, res)
}

// clientCert returns the certificate that the other end proved to hold the key of.
func clientCert(c echo.Context) (*x509.Certificate, error) {
	if t := c.Request().TLS; t != nil && len(t.PeerCertificates) > 0 {
		return t.PeerCertificates[0], nil
	}
	return nil, controlplane.Errorf(controlplane.CodeUnauthorized, "Enrol the server with a token from its Enrol page.",
		"The connection has no agent's certificate")
}

func (s *Server) identity(c echo.Context) (agents.Identity, error) {
	cert, err := clientCert(c)
	if err != nil {
		return agents.Identity{}, err
	}
	return s.Deps.Agents.Authenticate(c.Request().Context(), cert)
}

// stream is an agent's session. It lives as long as the connection, or until
// the process drains.
func (s *Server) stream(c echo.Context) error {
	id, err := s.identity(c)
	if err != nil {
		return err
	}
	ws, err := websocket.Accept(c.Response(), c.Request(), &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return fmt.Errorf("server: accept stream: %w", err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(wire.MaxFrame)
	s.sessions.Add(1)
	defer s.sessions.Done()
	// a hijacked connection is not the request's any more
	ctx, end := context.WithCancel(context.WithoutCancel(c.Request().Context()))
	defer end()
	defer context.AfterFunc(s.streams, end)()
	err = s.Deps.Agents.Serve(ctx, id, &wsConn{ws})
	var e *controlplane.Error
	switch {
	case err == nil:
		_ = ws.Close(websocket.StatusNormalClosure, "")
	case errors.As(err, &e) && e.Code != controlplane.CodeUnavailable:
		s.log.WarnContext(c.Request().Context(), "agent.refused", "server", id.Server, "agent", id.Agent, "code", e.Code, "error", err)
		_ = ws.Close(websocket.StatusPolicyViolation, short(string(e.Code)+": "+e.Message))
	default:
		s.log.InfoContext(c.Request().Context(), "agent.session_ended", "server", id.Server, "agent", id.Agent, "error", err)
		_ = ws.Close(websocket.StatusGoingAway, "")
	}
	return nil
}

// short cuts a reason to what a close frame holds.
func short(s string) string {
	if len(s) > 120 {
		return s[:120]
	}
	return s
}

func (s *Server) putChunk(c echo.Context) error {
	id, err := s.identity(c)
	if err != nil {
		return err
	}
	index, err := strconv.Atoi(c.Param("index"))
	epoch, err2 := strconv.ParseInt(c.Request().Header.Get(wire.HeaderEpoch), 10, 64)
	sum := c.Request().Header.Get(wire.HeaderChunkSHA256)
	if err != nil || err2 != nil || index < 0 || len(sum) != 64 {
		return controlplane.Errorf(controlplane.CodeInvalid, "Upgrade the package ostler-agent on the server.", "The chunk's index, epoch or hash is malformed")
	}
	if c.Request().ContentLength > wire.ChunkSize {
		return echo.NewHTTPError(http.StatusRequestEntityTooLarge)
	}
	rc := http.NewResponseController(c.Response())
	if err := rc.SetReadDeadline(time.Now().Add(chunkTime)); err != nil {
		return fmt.Errorf("server: chunk: %w", err)
	}
	body := http.MaxBytesReader(c.Response(), c.Request().Body, wire.ChunkSize)
	err = s.Chunks.Put(forAgent(c.Request().Context(), id), id.Server, id.Agent, c.Param("job"), epoch, index, sum, body)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) { // no use in sending it again soon
		p := ToProblem(c.Request().Context(), s.log, err)
		p.Status = http.StatusInsufficientStorage
		return p
	}
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) listChunks(c echo.Context) error {
	id, err := s.identity(c)
	if err != nil {
		return err
	}
	have, err := s.Chunks.Have(forAgent(c.Request().Context(), id), id.Server, id.Agent, c.Param("job"))
	if err != nil {
		return err
	}
	if have == nil {
		have = []int{}
	}
	return c.JSON(http.StatusOK, wire.ChunksHave{Have: have})
}

// getChunk answers one chunk of the source of a job that runs on the host.
func (s *Server) getChunk(c echo.Context) error {
	id, err := s.identity(c)
	if err != nil {
		return err
	}
	index, err := strconv.Atoi(c.Param("index"))
	epoch, err2 := strconv.ParseInt(c.Request().Header.Get(wire.HeaderEpoch), 10, 64)
	if err != nil || err2 != nil || index < 0 {
		return controlplane.Errorf(controlplane.CodeInvalid, "Upgrade the package ostler-agent on the server.", "The chunk's index or epoch is malformed")
	}
	data, sum, err := s.Chunks.SourceChunk(forAgent(c.Request().Context(), id), id.Server, id.Agent, c.Param("job"), epoch, index)
	if err != nil {
		return err
	}
	if err := http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(chunkTime)); err != nil {
		return fmt.Errorf("server: chunk: %w", err)
	}
	c.Response().Header().Set(wire.HeaderChunkSHA256, sum)
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, echo.MIMEOctetStream, data)
}

// wsConn speaks frames over a WebSocket.
type wsConn struct{ ws *websocket.Conn }

// Read returns the next frame.
func (c *wsConn) Read(ctx context.Context) (wire.Frame, error) {
	var f wire.Frame
	kind, data, err := c.ws.Read(ctx)
	if err != nil {
		return f, err
	}
	if kind != websocket.MessageText {
		return f, errors.New("server: a binary message on the agents' stream")
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("server: decode frame: %w", err)
	}
	return f, nil
}

// Write sends a frame.
func (c *wsConn) Write(ctx context.Context, f wire.Frame) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("server: encode frame: %w", err)
	}
	return c.ws.Write(ctx, websocket.MessageText, data)
}

// Ping asks the agent for a sign of life.
func (c *wsConn) Ping(ctx context.Context) error { return c.ws.Ping(ctx) }
