// Oracle serves the oracle module of the chain over gRPC: the stock OpenTelemetry SDK, configured by OTEL_* variables alone.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	"virtengine.example/oracle/x/oracle/keeper"
	"virtengine.example/oracle/x/oracle/types"
)

// shutdownTime is for the last requests, and then for the last spans.
const shutdownTime = 10 * time.Second

// genesis holds the first prices, in the smallest unit of the chain's coin.
var genesis = map[string]uint64{"cpu-unit": 7}

func main() {
	listen := flag.String("grpc", "127.0.0.1:0", "address of the Msg and Query services")
	health := flag.String("health", "127.0.0.1:0", "address of GET /healthz")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err := run(*listen, *health); err != nil {
		slog.Error("the oracle ended", "error", err)
		os.Exit(1)
	}
}

func run(listen, health string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	provider, err := traced(ctx)
	if err != nil {
		return err
	}
	defer ended(provider)

	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	prices := keeper.New(genesis)
	server := grpc.NewServer(grpc.StatsHandler(otelgrpc.NewServerHandler()))
	types.RegisterMsgServer(server, keeper.NewMsgServer(prices))
	types.RegisterQueryServer(server, keeper.NewQueryServer(prices))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(answer http.ResponseWriter, _ *http.Request) { answer.WriteHeader(http.StatusOK) })
	healthy := &http.Server{Addr: health, Handler: mux, ReadHeaderTimeout: shutdownTime}
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(listener) }()
	go func() {
		if err := healthy.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	slog.Info("the oracle serves", "grpc", listener.Addr().String())
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	_ = healthy.Close()
	server.GracefulStop()
	return err
}

// traced makes the provider: endpoint, headers, certificate, sampler and resource come from the OTEL_* variables.
func traced(ctx context.Context) (*sdk.TracerProvider, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter, sdk.WithBatchTimeout(time.Second)))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(autoprop.NewTextMapPropagator())
	return provider, nil
}

func ended(provider *sdk.TracerProvider) {
	ending, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := provider.Shutdown(ending); err != nil {
		slog.Error("spans were lost at the end", "error", err)
	}
}
