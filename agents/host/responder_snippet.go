package host

import (
	"fmt"
	"net"
	"net/netip"

	"ostler/controlplane"
)

// Snippet is a drop-in for a web server that has port 80 itself: it passes
// challenges on to the responder, which listens elsewhere. server is "nginx" or
// "apache".
func Snippet(server, listen string) (string, error) {
	if listen == "" {
		return "", controlplane.Errorf(controlplane.CodeInvalid, `Write "acme: {listen: 127.0.0.1:8402}" into /etc/ostler/agent.yaml, start the agent again, and ask for the drop-in anew.`,
			"The responder is switched off in the agent's configuration")
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", controlplane.Errorf(controlplane.CodeInvalid, "Correct acme.listen in /etc/ostler/agent.yaml: an address and a port, such as 127.0.0.1:8402.", "The responder's address cannot be used").Because(err)
	}
	if port == "80" {
		return "", controlplane.Errorf(controlplane.CodeInvalid, "Nothing needs to be added where the agent has port 80. Where a web server has it, write another port into acme.listen in /etc/ostler/agent.yaml.",
			"The responder listens on port 80 itself")
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	to := "http://" + net.JoinHostPort(host, port)
	switch server {
	case "nginx":
		return fmt.Sprintf(nginxSnippet, ChallengePath, to), nil
	case "apache":
		return fmt.Sprintf(apacheSnippet, ChallengePath, to+ChallengePath), nil
	}
	return "", controlplane.Errorf(controlplane.CodeInvalid, "Name one of them.", "There is a drop-in for nginx and one for apache")
}

const nginxSnippet = `# Challenges of certificate authorities, answered by the Ostler agent.
# Save it as /etc/nginx/snippets/ostler-acme.conf and include it in every server
# block that listens on port 80, above any redirect:
#     include /etc/nginx/snippets/ostler-acme.conf;
location ^~ %s {
    auth_basic off;
    allow all;
    proxy_pass %s;
    proxy_set_header Host $host;
    proxy_connect_timeout 2s;
    proxy_read_timeout 5s;
}
`

const apacheSnippet = `# Challenges of certificate authorities, answered by the Ostler agent.
# Save it as /etc/apache2/conf-available/ostler-acme.conf, then:
#     a2enmod proxy_http && a2enconf ostler-acme && systemctl reload apache2
<Location "%s">
    ProxyPreserveHost On
    ProxyPass "%s" timeout=5
    Require all granted
</Location>
`
