// Package keeper keeps the prices of the oracle module, and serves them.
package keeper

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"virtengine.example/oracle/x/oracle/types"
)

const (
	// Window is the number of observations of a symbol that are kept, the newest.
	Window = 16
	// MostTimes bounds an observation: so many times the price, or a fraction of it as small, is an error of whoever observed it.
	MostTimes = 10
)

var (
	// ErrUnknownSymbol says that the genesis has no such symbol.
	ErrUnknownSymbol = errors.New("no such symbol")
	// ErrOutOfBounds says that an observation is too far from the price.
	ErrOutOfBounds = errors.New("the amount is out of bounds")
)

// Names of attributes; those of a chain's module follow its other services.
var (
	symbolKey       = attribute.Key("virtengine.oracle.symbol")
	amountKey       = attribute.Key("virtengine.oracle.amount")
	observationsKey = attribute.Key("virtengine.oracle.observations")
)

// Keeper keeps the observations of each symbol. Its methods may be called at the same time.
type Keeper struct {
	tracer  trace.Tracer
	mutex   sync.Mutex
	symbols map[string]*observed
}

type observed struct {
	genesis uint64
	amounts []uint64
}

// New returns a keeper with the prices of the genesis, by symbol.
func New(genesis map[string]uint64) *Keeper {
	symbols := make(map[string]*observed, len(genesis))
	for symbol, amount := range genesis {
		symbols[symbol] = &observed{genesis: amount}
	}
	return &Keeper{tracer: otel.Tracer("virtengine.example/oracle/x/oracle/keeper"), symbols: symbols}
}

// Price returns the price of a symbol, or ErrUnknownSymbol.
func (k *Keeper) Price(ctx context.Context, symbol string) (*types.Price, error) {
	_, span := k.tracer.Start(ctx, "oracle.keeper.Price")
	defer span.End()
	k.mutex.Lock()
	defer k.mutex.Unlock()
	found, known := k.symbols[symbol]
	if !known {
		return nil, failed(span, ErrUnknownSymbol)
	}
	return told(span, symbol, found), nil
}

// Observe adds an observation of a symbol and returns its price with it. It returns ErrUnknownSymbol or ErrOutOfBounds.
func (k *Keeper) Observe(ctx context.Context, symbol string, amount uint64) (*types.Price, error) {
	_, span := k.tracer.Start(ctx, "oracle.keeper.Observe")
	defer span.End()
	k.mutex.Lock()
	defer k.mutex.Unlock()
	found, known := k.symbols[symbol]
	if !known {
		return nil, failed(span, ErrUnknownSymbol)
	}
	// Divided and not multiplied, because a product may overflow.
	if price := found.price(); amount == 0 || amount/MostTimes > price || price/MostTimes > amount {
		return nil, failed(span, ErrOutOfBounds)
	}
	found.amounts = append(found.amounts, amount)
	if len(found.amounts) > Window {
		found.amounts = slices.Delete(found.amounts, 0, len(found.amounts)-Window)
	}
	return told(span, symbol, found), nil
}

func (o *observed) price() uint64 {
	count := len(o.amounts)
	if count == 0 {
		return o.genesis
	}
	sorted := slices.Sorted(slices.Values(o.amounts))
	upper, lower := sorted[count/2], sorted[(count-1)/2]
	return lower + (upper-lower)/2
}

func told(span trace.Span, symbol string, found *observed) *types.Price {
	price := &types.Price{Symbol: symbol, Amount: found.price(), Observations: uint32(len(found.amounts))}
	span.SetAttributes(symbolKey.String(symbol), amountKey.Int64(int64(price.Amount)), observationsKey.Int(len(found.amounts)))
	return price
}

// failed marks a span by the kind of an error. Its text may hold what a caller sent.
func failed(span trace.Span, err error) error {
	span.SetStatus(codes.Error, "")
	span.SetAttributes(attribute.String("error.type", kind(err)))
	return err
}

func kind(err error) string {
	if errors.Is(err, ErrUnknownSymbol) {
		return "UnknownSymbol"
	}
	return "OutOfBounds"
}
