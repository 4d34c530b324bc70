package keeper

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"virtengine.example/oracle/x/oracle/types"
)

type queryServer struct {
	types.UnimplementedQueryServer
	keeper *Keeper
}

// NewQueryServer returns the Query service of the module.
func NewQueryServer(keeper *Keeper) types.QueryServer {
	return queryServer{keeper: keeper}
}

// Price answers with the price of a symbol.
func (s queryServer) Price(ctx context.Context, request *types.QueryPriceRequest) (*types.QueryPriceResponse, error) {
	price, err := s.keeper.Price(ctx, request.GetSymbol())
	if err != nil {
		return nil, answer(err)
	}
	return &types.QueryPriceResponse{Price: price}, nil
}

// answer gives an error of the keeper its status.
func answer(err error) error {
	if errors.Is(err, ErrUnknownSymbol) {
		return status.Error(codes.NotFound, err.Error())
	}
	return status.Error(codes.InvalidArgument, err.Error())
}
