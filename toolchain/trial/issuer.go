package main

import (
	"crypto/tls"
	"encoding/json"
	"html/template"
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
)

type issuerFile struct {
	Health      string `json:"health"`
	Listen      string `json:"listen"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	ClientID    string `json:"client_id"`
	GroupsClaim string `json:"groups_claim"`
	Users       []user `json:"users"`
}

// user is somebody who can be chosen at the login, with the groups that the issuer tells of them.
type user struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups"`
	claim  string
}

func (u *user) ID() string    { return u.Name }
func (u *user) email() string { return u.Name + "@example.org" }

func (u *user) about() map[string]any {
	return map[string]any{"sub": u.Name, "email": u.email(), "email_verified": true, "preferred_username": u.Name, u.claim: u.Groups}
}

// Userinfo and Claims tell the groups whatever scopes were asked for, as Keycloak does with a mapper on the client.
func (u *user) Userinfo([]string) ([]byte, error) { return json.Marshal(u.about()) }

func (u *user) Claims(_ []string, base *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	text, err := json.Marshal(base)
	if err != nil {
		return nil, err
	}
	claims := jwt.MapClaims{}
	if err := json.Unmarshal(text, &claims); err != nil {
		return nil, err
	}
	for name, value := range u.about() {
		claims[name] = value
	}
	return claims, nil
}

var loginPage = template.Must(template.New("login").Parse(`<!doctype html>
<title>Log in</title>
<h1>Log in as</h1>
<ul>{{range .Users}}<li><a id="{{.Name}}" href="?{{$.Query}}&amp;user={{.Name}}">{{.Name}}</a> of {{range .Groups}}{{.}} {{else}}no group{{end}}</li>{{end}}</ul>
`))

// choosing lets whoever logs in choose a user, where mockoidc would take the next of a queue.
func choosing(server *mockoidc.MockOIDC, users []user) func(http.Handler) http.Handler {
	var one sync.Mutex
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
			if request.URL.Path != mockoidc.AuthorizationEndpoint {
				next.ServeHTTP(writer, request)
				return
			}
			chosen := request.URL.Query().Get("user")
			for i := range users {
				if users[i].Name == chosen {
					one.Lock()
					defer one.Unlock()
					server.QueueUser(&users[i])
					next.ServeHTTP(writer, request)
					return
				}
			}
			page := struct {
				Users []user
				Query template.URL
			}{users, template.URL(request.URL.RawQuery)}
			writer.Header().Set("Content-Type", "text/html; charset=utf-8")
			if err := loginPage.Execute(writer, page); err != nil {
				log.Print(err)
			}
		})
	}
}

func runIssuer(path string) error {
	var file issuerFile
	if err := read(path, &file); err != nil {
		return err
	}
	server, err := mockoidc.NewServer(nil)
	if err != nil {
		return err
	}
	server.ClientID, server.ClientSecret = file.ClientID, os.Getenv("CLIENT_SECRET")
	for i := range file.Users {
		file.Users[i].claim = file.GroupsClaim
	}
	if err := server.AddMiddleware(choosing(server, file.Users)); err != nil {
		return err
	}
	certificate, err := tls.LoadX509KeyPair(file.Certificate, file.Key)
	if err != nil {
		return err
	}
	secured := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	listener, err := tls.Listen("tcp", file.Listen, secured)
	if err != nil {
		return err
	}
	if err := server.Start(listener, secured); err != nil {
		return err
	}
	if err := answerHealth(file.Health); err != nil {
		return err
	}
	log.Printf("issuer %s with %d users", server.Issuer(), len(file.Users))
	select {}
}
