// Quotes is a service in a language other than Python: the stock OpenTelemetry SDK, configured by OTEL_* variables alone.
//
// It answers GET /quote at -listen, and with -self it asks itself so often, so that a deployed one makes traces without a caller.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace"
)

const answerTime = 10 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to answer at")
	self := flag.Duration("self", 0, "how often to ask itself; 0 never")
	flag.Parse()
	if err := run(*listen, *self); err != nil {
		log.Fatal(err)
	}
}

func run(listen string, self time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return err
	}
	// The sampler and the resource come from OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter, trace.WithBatchTimeout(time.Second)))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(autoprop.NewTextMapPropagator())
	defer func() {
		ending, cancel := context.WithTimeout(context.Background(), answerTime)
		defer cancel()
		if err := provider.Shutdown(ending); err != nil {
			log.Print(err)
		}
	}()

	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	fmt.Println(address)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /quote", quote)
	// Outside of the mux the route is not known yet, and a path could hold anything; here there is one.
	named := otelhttp.WithSpanNameFormatter(func(string, *http.Request) string { return "GET /quote" })
	server := &http.Server{Handler: otelhttp.NewHandler(mux, "quotes", named), ReadHeaderTimeout: answerTime}
	go func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.Background(), answerTime)
		defer cancel()
		_ = server.Shutdown(ending)
	}()
	if self > 0 {
		go ask(ctx, address, self)
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func quote(answer http.ResponseWriter, request *http.Request) {
	_, span := otel.Tracer("quotes").Start(request.Context(), "quotes.compute")
	defer span.End()
	fmt.Fprintln(answer, `{"price_cents": 1995}`)
}

// ask makes a trace at each interval and says its id.
func ask(ctx context.Context, address string, interval time.Duration) {
	client := &http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport), Timeout: answerTime}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
		}
		within, span := otel.Tracer("quotes").Start(ctx, "quotes.self")
		request, err := http.NewRequestWithContext(within, http.MethodGet, "http://"+address+"/quote", nil)
		if err == nil {
			var response *http.Response
			if response, err = client.Do(request); err == nil {
				err = response.Body.Close()
			}
		}
		if err != nil {
			span.RecordError(err)
			log.Print(err)
		}
		span.End()
		log.Printf("trace %s", span.SpanContext().TraceID())
	}
}
